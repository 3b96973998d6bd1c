DROP TABLE jobs;
DROP TABLE destinations;
DROP TABLE filters;
DROP TABLE connection_checks;
DROP TABLE connections;
