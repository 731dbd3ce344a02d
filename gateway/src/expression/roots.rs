//! What expressions can see of a call: the root objects and the interface behind which the call stands.
//!
//! Members are read when an expression asks for them; nothing is prepared for expressions that do not.

use super::value::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// A root object with documented members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bean {
    Request,
    Response,
    Message,
    Context,
    Api,
    Node,
    Subscription,
    Ssl,
    /// The certificate's subject of the caller or of this gateway.
    ClientPrincipal,
    ServerPrincipal,
}

/// Names with lists of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pairs {
    RequestHeaders,
    ResponseHeaders,
    MessageHeaders,
    Parameters,
    PathParameters,
    /// Headers that came with the value.
    Owned(Arc<Vec<(String, String)>>),
}

impl Pairs {
    /// Headers have methods of their own, and their names compare without case.
    pub(super) fn are_headers(&self) -> bool {
        !matches!(self, Pairs::Parameters | Pairs::PathParameters)
    }
}

/// A map that is read from the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entries {
    Attributes,
    MessageAttributes,
    MessageMetadata,
    Properties,
    Dictionaries,
    Endpoints,
    SubscriptionMetadata,
}

/// A call as expressions see it.
pub(crate) trait Roots {
    /// The value of `#name`; `None` when there is no such variable here, which counts as null.
    fn variable(&self, name: &str) -> Option<Value>;

    /// A member of a root object; `None` when it has no member of that name. Members that are made from the content are
    /// not asked for here.
    fn member(&self, bean: Bean, name: &str) -> Option<Value>;

    /// The body of a request, response or message; `None` when there is none or it was not collected.
    fn content(&self, bean: Bean) -> Option<&[u8]>;

    /// Every name with its values in order; `owned` pairs are not asked for here.
    fn pairs(&self, of: &Pairs) -> Vec<(Cow<'_, str>, Cow<'_, str>)>;

    /// The values of one name, in order.
    fn pair(&self, of: &Pairs, name: &str) -> Vec<Value>;

    /// An entry of a map.
    fn entry(&self, of: Entries, key: &str) -> Option<Value>;

    /// Every entry of a map.
    fn entries(&self, of: Entries) -> Vec<(Cow<'_, str>, Value)>;
}
