"""Configuration: bot.toml and the environment, read strictly and told about in full."""

from relay.config.chats import Chats
from relay.config.configuration import EVERYWHERE, Config, Plugins, Switch
from relay.config.plugins import folder_problems, unknown_disabled, unknown_names, warnings_of
from relay.config.reading import RESERVED, load
from relay.config.settings import validate_settings
from relay.config.sources import Files, read_files
from relay.config.tables import (
    NOT_YET,
    Bot,
    Console,
    Delivery,
    Platform,
    Server,
    Setting,
    Storage,
    settings_table,
)
from relay.config.values import ChatList, Duration, Size

__all__ = [
    "EVERYWHERE",
    "NOT_YET",
    "RESERVED",
    "Bot",
    "ChatList",
    "Chats",
    "Config",
    "Console",
    "Delivery",
    "Duration",
    "Files",
    "Platform",
    "Plugins",
    "Server",
    "Setting",
    "Size",
    "Storage",
    "Switch",
    "folder_problems",
    "load",
    "read_files",
    "settings_table",
    "unknown_disabled",
    "unknown_names",
    "validate_settings",
    "warnings_of",
]
