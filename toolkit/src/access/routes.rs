//! Routes that say what they ask of a caller. One that does not say it cannot be written.

use std::convert::Infallible;
use std::fmt;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::middleware::{self, Next};
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, MethodRouter, Route, on};
use tower::{Layer, Service};

use super::{Access, Gate};

/// What a route was declared to ask for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Declared {
    /// The path, as the router has it.
    pub path: String,
    /// The method; GET stands for HEAD too.
    pub method: &'static str,
    /// What it asks.
    pub access: Access,
}

impl fmt::Display for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.method, self.path, self.access.as_str())
    }
}

/// Collects routes, each with what it asks of a caller.
#[derive(Debug)]
pub struct Routes<S> {
    router: Router<S>,
    gate: Gate,
    declared: Vec<Declared>,
}

/// Everything that a program serves, behind its gate. There is no other way to make one than [`Routes`].
#[derive(Clone, Debug)]
pub struct App {
    router: Router,
    declared: Vec<Declared>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// No routes yet, behind this gate.
    #[must_use]
    pub fn new(gate: Gate) -> Self {
        Self { router: Router::new(), gate, declared: Vec::new() }
    }

    /// A route that reads: GET and HEAD.
    #[must_use]
    pub fn get<H: Handler<T, S>, T: 'static>(self, access: Access, path: &str, handler: H) -> Self {
        self.add(access, ("GET", MethodFilter::GET), path, handler)
    }

    /// A route that changes something: POST. Pages of other sites are refused.
    #[must_use]
    pub fn post<H: Handler<T, S>, T: 'static>(self, access: Access, path: &str, handler: H) -> Self {
        self.add(access, ("POST", MethodFilter::POST), path, handler)
    }

    fn add<H: Handler<T, S>, T: 'static>(
        mut self,
        access: Access,
        (method, filter): (&'static str, MethodFilter),
        path: &str,
        handler: H,
    ) -> Self {
        let route: MethodRouter<S> = on(filter, handler);
        self.router = self.router.route(path, guarded(route, &self.gate, access));
        self.declared.push(Declared { path: path.to_owned(), method, access });
        self
    }

    /// The routes together with their state.
    #[must_use]
    pub fn with_state(self, state: S) -> App {
        App { router: self.router.with_state(state), declared: self.declared }
    }
}

fn guarded<S: Clone + Send + Sync + 'static>(
    route: MethodRouter<S, Infallible>,
    gate: &Gate,
    access: Access,
) -> MethodRouter<S, Infallible> {
    let gate = gate.clone();
    route.route_layer(middleware::from_fn(move |request: Request, next: Next| {
        let gate = gate.clone();
        async move { gate.pass(access, request, next).await }
    }))
}

impl App {
    /// A router of which every route asks the same.
    #[must_use]
    pub fn uniform(gate: &Gate, access: Access, router: Router) -> Self {
        let gate = gate.clone();
        let router = router.layer(middleware::from_fn(move |request: Request, next: Next| {
            let gate = gate.clone();
            async move { gate.pass(access, request, next).await }
        }));
        Self { router, declared: Vec::new() }
    }

    /// What each route asks, in the order in which they were added.
    #[must_use]
    pub fn declared(&self) -> &[Declared] {
        &self.declared
    }

    /// Puts a layer around everything, the gate included.
    #[must_use]
    pub fn layer<L>(self, layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        Self { router: self.router.layer(layer), ..self }
    }

    /// The service itself, to be asked without a socket or put behind limits.
    #[must_use]
    pub fn into_router(self) -> Router {
        self.router
    }
}
