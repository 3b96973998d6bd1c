//! Why reading ended early. An error of Graph keeps its kind for as long as somebody can still react to it; only the
//! pipeline needs it as the reason why the run stops.

use crate::error::Error;
use crate::graph::error::GraphError;
use crate::runs::stop::Stop;

pub(super) type Result<T, E = ReadError> = std::result::Result<T, E>;

#[derive(Debug)]
pub(super) enum ReadError {
    Graph(GraphError),
    Stop(Stop),
}

impl From<GraphError> for ReadError {
    fn from(error: GraphError) -> Self {
        Self::Graph(error)
    }
}

impl From<Stop> for ReadError {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        Self::Stop(error.into())
    }
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Graph(error) => error.into(),
            ReadError::Stop(stop) => stop,
        }
    }
}
