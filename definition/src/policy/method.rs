//! Methods of HTTP as settings of policies name them.

use crate::token::tokens;

tokens! {
    /// A method.
    pub enum Method {
        Get = "GET", Post = "POST", Put = "PUT", Patch = "PATCH", Delete = "DELETE",
        Head = "HEAD", Options = "OPTIONS", Connect = "CONNECT", Trace = "TRACE",
    }
}
