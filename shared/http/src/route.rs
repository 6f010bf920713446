//! The route table: what a component answers, and who may call it, readable in one glance.

use std::future::Future;
use std::pin::Pin;

use http::Method;
use vivesphere_domain::permissions::Permission;

use crate::{Context, Problem, Reply};

/// What a handler returns.
pub type HandlerFuture = Pin<Box<dyn Future<Output = Result<Reply, Problem>>>>;

/// A handler: extract, parse, call the domain, wire out.
pub type Handler = fn(Context) -> HandlerFuture;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone. A token that is sent along is not looked at.
    Public,
    /// Any principal that is signed in.
    SignedIn,
    /// A principal that has the permission.
    Permission(Permission),
    /// The service key only: calls between components.
    Service,
    /// The service key, or a principal that has the permission.
    ServiceOr(Permission),
}

/// One row of the route table.
#[derive(Clone, Copy)]
pub struct Route {
    /// The method.
    pub method: Verb,
    /// The whole path, with parameters as `{name}`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// What answers.
    pub handler: Handler,
}

/// A method that can stand in a `const` table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the methods of RFC 9110")]
pub enum Verb {
    Get,
    Post,
    Patch,
    Delete,
}

impl Verb {
    /// As the `http` crate has it.
    #[must_use]
    pub fn as_http(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post => Method::POST,
            Self::Patch => Method::PATCH,
            Self::Delete => Method::DELETE,
        }
    }
}

/// One row of a route table: `route!(Get "/api/v1/bots/list", Access::SignedIn, handlers::list)`.
#[macro_export]
macro_rules! route {
    ($method:ident $path:literal, $access:expr, $handler:path) => {
        $crate::Route {
            method: $crate::Verb::$method,
            path: $path,
            access: $access,
            handler: |context| ::std::boxed::Box::pin($handler(context)),
        }
    };
}
