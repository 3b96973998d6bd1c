//! Microsoft Graph and the Entra sign-in service.

pub mod cloud;
pub mod sign_in_error;
pub mod token;
