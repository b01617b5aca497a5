//! What crosses a socket, and its translation to and from the model. No sockets here.

pub mod graph;
pub mod link;
pub mod logs;
pub mod oauth;
pub mod rollcall;
pub mod scim;
