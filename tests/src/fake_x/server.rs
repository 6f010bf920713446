//! The TCP side: HTTP/1.1 connections that can be closed without an answer.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower_service::Service as _;

use super::reply::CutConnection;
use super::state::Shared;
use super::{api, control};

/// Accepts until it is dropped, and takes its connections with it.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let router = control::router(shared.clone()).fallback(move |request: Request<Body>| {
        let shared = shared.clone();
        async move { api::answer(&shared, request).await }
    });
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        connections.spawn(connection(stream, router.clone()));
    }
}

async fn connection(stream: TcpStream, router: Router) {
    // An answer is one small packet; waiting for more of it only costs time.
    let _unsupported = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut router = router.clone();
        async move {
            // In a task of its own: a caller that hangs up does not stop X either.
            let answering = tokio::spawn(async move {
                let answered: Result<Response, Infallible> =
                    router.call(request.map(Body::new)).await;
                let Ok(response) = answered;
                response
            });
            let response = answering.await.map_err(std::io::Error::other)?;
            // An error of the service closes the connection without a single byte of an answer.
            match response.extensions().get::<CutConnection>() {
                Some(_) => Err(std::io::Error::other("cut")),
                None => Ok(response),
            }
        }
    });
    let _closed = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
