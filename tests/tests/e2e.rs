//! The one driver of the end-to-end tests: real processes, real sockets, a real directory.

mod e2e {
    mod directories;
    mod lab;
    mod show;
}
