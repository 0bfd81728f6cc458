//! The Tokio runtime that the doors live in, from opening to closing.

use dataplane::{
    error::Error,
    execute::RUN_THREADS_MAX,
    plane::Plane,
    server::{
        Server, ServerOptions,
        tls::{Tls, TlsPem},
    },
};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::runtime::{Builder, Runtime};

/// Blocking threads beyond the run threads, so that a run that has its place never waits for one.
const BLOCKING_THREADS_SPARE: usize = 64;

/// Doors that are closed, or open, or closed again.
pub(crate) struct Doors {
    plane: Arc<Plane>,
    options: ServerOptions,
    open: Mutex<Option<Open>>,
}

struct Open {
    server: Server,
    runtime: Runtime,
}

impl Doors {
    pub(crate) fn closed(plane: Arc<Plane>, options: ServerOptions) -> Self {
        Self { plane, options, open: Mutex::new(None) }
    }

    /// Opens the doors; where gRPC and REST listen.
    pub(crate) fn open(&self) -> Result<(Option<SocketAddr>, Option<SocketAddr>), Error> {
        let mut open = self.lock();
        if open.is_some() {
            return Err(Error::failed_precondition("the doors are open already"));
        }
        let runtime = self.build_runtime()?;
        let server = Server::start(Arc::clone(&self.plane), &self.options, runtime.handle())?;
        let addresses = server.addresses();
        *open = Some(Open { server, runtime });
        Ok(addresses)
    }

    /// From the next handshake on, these certificates; all of them, or none when one cannot be used.
    pub(crate) fn renew_tls(&self, grpc: Option<&TlsPem>, rest: Option<&TlsPem>) -> Result<(), Error> {
        let prepared = [(&self.options.grpc_tls, grpc, "gRPC"), (&self.options.rest_tls, rest, "REST")]
            .into_iter()
            .filter_map(|(tls, pem, door)| pem.map(|pem| (tls, pem, door)))
            .map(|(tls, pem, door)| {
                let tls = tls.as_ref().ok_or_else(|| {
                    Error::failed_precondition(format!(
                        "{door} was not started with TLS, so it has none to renew"
                    ))
                })?;
                Ok((tls, tls.prepare(pem)?))
            })
            .collect::<Result<Vec<(&Arc<Tls>, _)>, Error>>()?;
        for (tls, renewal) in prepared {
            tls.renew(renewal);
        }
        Ok(())
    }

    fn build_runtime(&self) -> Result<Runtime, Error> {
        Builder::new_multi_thread()
            .worker_threads(self.plane.limits().io_threads)
            .max_blocking_threads(RUN_THREADS_MAX + BLOCKING_THREADS_SPARE)
            .thread_name("understudy-io")
            .enable_all()
            .build()
            .map_err(|error| Error::internal(format!("cannot start the I/O threads: {error}")))
    }

    /// Closes them and waits for the requests in flight, at most for `drain`; how many were left. Closing closed
    /// doors does nothing.
    pub(crate) fn close(&self, drain: Duration) -> usize {
        let Some(Open { server, runtime }) = self.lock().take() else { return 0 };
        let left = runtime.block_on(server.shutdown(drain));
        runtime.shutdown_background(); // never waits for a run that hangs
        left
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Doors {
    fn drop(&mut self) {
        if let Some(open) = self.lock().take() {
            open.runtime.shutdown_background();
        }
    }
}
