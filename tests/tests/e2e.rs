//! The one driver of the end-to-end tests: real processes, real sockets, a real directory.

mod e2e {
    mod broken_records;
    mod directories;
    mod hostile;
    mod kill_points;
    mod lab;
    mod person;
    mod random_kills;
    mod retries;
    mod show;
    mod stopped_agent;
    mod two_nodes;
}
