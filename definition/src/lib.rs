//! The pure heart of Tidegate: what an API definition is, what is wrong with one, what connectors offer and
//! which qualities of service fit together. No I/O, no async, no clock: values in, values out.

pub mod api;
pub mod catalogue;
pub mod connector;
pub mod deployment;
pub mod dialect;
pub mod digest;
pub mod expression;
pub mod freemarker;
pub mod limits;
pub mod plan;
pub mod policy;
pub mod qos;
mod reader;
pub mod resource;
pub mod secrets;
pub mod token;
pub mod violation;
