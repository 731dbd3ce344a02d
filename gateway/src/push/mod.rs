//! Push subscriptions: nobody calls, the gateway delivers. Management says which ones are this gateway's; here is
//! decided when each of them runs.
//!
//! A subscription runs while it is owned, accepted, started, within its dates, and its API is deployed with an entrypoint
//! that takes it. When any of that changes the old run has ended before a new one begins. Delivery itself is the
//! entrypoint's.

mod decide;
mod dispatch;
mod supervise;

pub(crate) use dispatch::dispatch;
