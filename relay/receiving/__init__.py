"""From the platform's door to the database: kept before it is answered."""
