//! Calls for unit tests.

use super::Call;
use super::body::Body;
use super::request::Request;
use crate::http::ids::Ids;
use crate::table::facts::ApiFacts;
use http::{HeaderName, HeaderValue};
use std::sync::Arc;

impl Call {
    /// A call of `<method> <target>` to an API at `/ctx`, from 192.0.2.1.
    pub(crate) fn sample(line: &str, headers: &[(&str, &str)], body: &str) -> Call {
        let (method, target) = line.split_once(' ').expect("method and target");
        let (mut head, ()) =
            http::Request::builder().method(method).uri(target).body(()).expect("a request").into_parts();
        for (name, value) in headers {
            let name = HeaderName::try_from(*name).expect("a name");
            head.headers.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        let body = if body.is_empty() { Body::Empty } else { Body::Bytes(body.to_owned().into()) };
        let remote = [192, 0, 2, 1].into();
        let local = ([192, 0, 2, 2], 8082).into();
        let request = Request::new(head, body, "/ctx/".into(), remote, local);
        let api = ApiFacts { id: "api-1".into(), name: "sample".to_owned(), ..ApiFacts::default() };
        let ids = Ids::of(&request.head.headers, request.head.uri.query());
        Call::new(Arc::new(api), ids, request)
    }
}
