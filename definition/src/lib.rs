//! The pure heart of Tidegate: what an API definition is, what is wrong with one, what connectors offer and
//! which qualities of service fit together. No I/O, no async, no clock: values in, values out.

pub mod api;
pub mod api_key;
pub mod application;
pub mod catalogue;
pub mod connector;
pub mod consumer;
mod date;
pub mod deployment;
pub mod dialect;
pub mod digest;
pub mod expression;
pub mod failover;
pub mod freemarker;
pub mod health_check;
pub mod jolt;
pub mod json_path;
pub mod limits;
pub mod pattern;
pub mod plan;
pub mod policy;
pub mod public_key;
pub mod qos;
mod reader;
pub mod references;
pub mod resource;
pub mod secrets;
pub mod security;
mod strict;
pub mod subscription;
pub mod token;
pub mod violation;
pub mod xpath;
