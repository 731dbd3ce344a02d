//! Every member of every root object.

use super::{Sample, check};
use crate::call::Call;
use pretty_assertions::assert_eq;
use serde_json::json;

#[test]
fn requests() {
    let sample = Sample::new();
    check(
        &sample,
        &[
            ("#request.id == #request.transactionId", "true"),
            ("#request.uri", "/ctx/stores/123?param=one&param=two&a%20b=c+d"),
            ("#request.path", "/ctx/stores/123"),
            ("#request.paths[1]", "ctx"),
            ("#request.paths[0] == ''", "true"),
            ("#request.pathInfo", "/stores/123"),
            ("#request.pathInfos[2]", "123"),
            ("#request.contextPath", "/ctx/"),
            ("#request.params['a b']", "c d"),
            ("#request.pathParams['id']", "123"),
            ("#request.headers.host", "api.test"),
            ("#request.headers['x-e']", "h"),
            ("#request.method", "POST"),
            ("#request.scheme", "http"),
            ("#request.host", "api.test"),
            ("#request.version", "HTTP_1_1"),
            ("#request.timestamp > 1600000000000", "true"),
            ("#request.remoteAddress", "192.0.2.1"),
            ("#request.localAddress", "192.0.2.2"),
            ("#request.jsonContent.tags[1]", "y"),
            ("#request.jsonContent['age'] + 1", "36"),
            ("#request.xmlContent.isEmpty()", "true"),
            ("#request.ssl.client.defined", "false"),
            ("#request.ssl.client.dn == null", "true"),
        ],
    );
    assert_eq!(sample.get("{#request.content}"), r#"{"age": 35, "name": "Ann", "tags": ["x", "y"]}"#);
}

#[test]
fn messages() {
    let mut sample = Sample::new();
    check(
        &sample,
        &[
            ("#message.id", "m-1"),
            ("#message.headers.foo", "blue"),
            ("#message.headers['FOO-TWO'][0]", "2"),
            ("#message.headers['none'] == null", "true"),
            ("#message.metadata['topic']", "demo"),
            ("#message.metadata.offset + 1", "13"),
            ("#message.attributes['mine']", "yes"),
            ("#message.attributeNames.contains('mine')", "true"),
            ("#message.contentLength", "28"),
            ("#message.jsonContent.color", "blue"),
            ("#message.error", "false"),
            ("#jsonPath(#message.content, '$.size') == 3", "true"),
        ],
    );
    sample.message.content = None;
    assert_eq!(sample.text("{#message.content}"), Ok(None));
    sample.message.headers.clear();
    assert_eq!(sample.get("{#message.headers.size()}"), "0", "headers are empty, never null");
}

#[test]
fn everything_else() {
    let mut sample = Sample::new();
    sample
        .extra
        .push(("calloutResponse", json!({"status": 201, "headers": {"X-Id": ["9"]}, "content": "c"})));
    sample.extra.push(("request", json!("cannot hide the standard root")));
    check(
        &sample,
        &[
            ("#response.status", "200"),
            ("#response.headers['x'] == null", "true"),
            ("#context.attributes['gravitee.attribute.number']", "42"),
            ("#context.attributes.containsKey('number')", "true"),
            ("#api.id + #api.name + #api.version", "api-1sample2"),
            ("#api.properties['a']", "x-1"),
            ("#properties.a", "x-1"),
            ("#properties[{'h', 'x'}]", "by header"),
            ("#dictionaries['d'] == null", "true"),
            ("#endpoints.g1", "g1:"),
            ("#node.id + #node.shardingTags + #node.tenant", "node-1eut"),
            ("#subscription.id", "sub-1"),
            ("#subscription.type", "STANDARD"),
            ("#subscription.metadata.bar", "blue"),
            ("#subscription.clientId == null", "true"),
            ("#calloutResponse.status", "201"),
            ("#calloutResponse.headers['x-id'][0]", "9"),
            ("#request.method", "POST"),
        ],
    );
}

#[test]
fn what_is_not_there_is_null() {
    let mut sample = Sample::new();
    sample.call = Call::sample("GET /ctx/", &[], "not json");
    let scope = crate::expression::Scope::of(&sample.call);
    for source in ["{#subscription}", "{#message}", "{#anything}"] {
        let template = super::template(source);
        assert_eq!(crate::expression::text(&template, &scope), Ok(None), "{source}");
    }
    assert_eq!(sample.get("{#request.jsonContent.size()}"), "0");
    assert_eq!(sample.get("{#request.xmlContent.size()}"), "0");
}
