//! The commands: `serve migrate openapi doctor keys simulate demo bench`.

use std::process::ExitCode;

pub async fn main() -> ExitCode {
    ExitCode::SUCCESS
}
