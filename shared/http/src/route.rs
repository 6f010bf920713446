//! The route table: what a component answers, and who may call it, readable in one glance.

use std::future::Future;
use std::pin::Pin;

use http::Method;
use vivesphere_domain::permissions::Permission;

use crate::kept_answers::{self, Keeper};
use crate::{Context, Problem, Reply, idempotency};

/// A digest of a request, made with a salt that is its principal's and its key's own.
pub type RequestDigest = fn(&[u8], &[u8]) -> Result<String, Problem>;

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
    /// From which of the client's budgets a request is paid.
    pub class: RouteClass,
    /// Most bytes of a request's body. The setting `body_limit_bytes` may be lower.
    pub body_limit: usize,
    /// Whether the answer holds a secret: it is neither compressed, nor given a tag, nor kept for
    /// the `Idempotency-Key`.
    pub confidential: bool,
    /// What a request is known by when it comes again with its `Idempotency-Key`.
    pub digest: RequestDigest,
    /// What keeps the answer and gives it again, where it is made of nothing but what that looks at.
    pub keeper: Option<Keeper>,
    /// What is answered whether there is a database or not.
    pub whatever_happens: Option<fn() -> Result<Reply, Problem>>,
}

/// A class of routes with a budget of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteClass {
    /// What changes nothing.
    Read,
    /// What changes something.
    Write,
    /// What hands out tokens.
    SignIn,
    /// What load balancers and schedulers ask all the time.
    Probe,
}

/// Largest request body: 1 MiB.
pub(crate) const BODY_LIMIT: usize = 1 << 20;
/// A name, a password or a token and what surrounds them.
const SIGN_IN_BODY_LIMIT: usize = 16 << 10;

impl Route {
    /// A row as [`route!`](crate::route!) writes it: reads are paid from the budget of reads,
    /// everything else from that of writes.
    #[must_use]
    pub const fn new(method: Verb, path: &'static str, access: Access, handler: Handler) -> Self {
        Self {
            method,
            path,
            access,
            handler,
            class: match method {
                Verb::Get => RouteClass::Read,
                Verb::Post | Verb::Patch | Verb::Delete => RouteClass::Write,
            },
            body_limit: BODY_LIMIT,
            confidential: false,
            digest: idempotency::sha256,
            keeper: None,
            whatever_happens: None,
        }
    }

    /// The answer holds a secret, such as a key that is shown once.
    #[must_use]
    pub const fn confidential(mut self) -> Self {
        self.confidential = true;
        self
    }

    /// The request holds a password: the digest by which it is known again, which is kept for a day,
    /// must be as slow as a password's hash.
    #[must_use]
    pub const fn holds_password(mut self, digest: RequestDigest) -> Self {
        self.digest = digest;
        self
    }

    /// The answer is made of the path, the query, the principal and rows of bots, and of nothing
    /// else: an instance gives it again until one of them changes.
    #[must_use]
    pub const fn of_bots_alone(mut self) -> Self {
        self.keeper = Some(kept_answers::of_bots);
        self
    }

    /// It hands out tokens: a budget of its own, small bodies, confidential.
    #[must_use]
    pub const fn sign_in(self) -> Self {
        let mut route = self.confidential().body_limit(SIGN_IN_BODY_LIMIT);
        route.class = RouteClass::SignIn;
        route
    }

    /// It is asked all the time by what watches over the deployment: a budget of its own.
    #[must_use]
    pub const fn probe(mut self) -> Self {
        self.class = RouteClass::Probe;
        self
    }

    /// The answer says no more than that there is one: it is given in the handler's place, costs
    /// nobody anything, and no failure of the database keeps it back.
    #[must_use]
    pub const fn whatever_happens(mut self, reply: fn() -> Result<Reply, Problem>) -> Self {
        self.whatever_happens = Some(reply);
        self
    }

    /// Takes bodies of so many bytes at most.
    #[must_use]
    pub const fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }
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
        $crate::Route::new($crate::Verb::$method, $path, $access, |context| {
            ::std::boxed::Box::pin($handler(context))
        })
    };
}
