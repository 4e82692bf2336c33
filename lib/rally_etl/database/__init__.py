"""The PostgreSQL database: where it is, who may use it, which tables it holds."""
