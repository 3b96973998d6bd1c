//! The API over real HTTP, file by file as in `src/api`.

mod connection_checks;
