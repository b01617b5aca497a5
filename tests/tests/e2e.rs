//! The one driver of the end-to-end tests: real processes, real sockets, a real directory.

mod e2e {
    mod broken_records;
    mod csv;
    mod directories;
    mod doctor;
    mod faults;
    mod hostile;
    mod huge_pages;
    mod kill_points;
    mod lab;
    mod notify;
    mod person;
    mod plans;
    mod preview;
    mod random_kills;
    mod retries;
    mod schema;
    mod seeded;
    mod show;
    mod stopped_agent;
    mod sweep;
    mod take_over;
    mod transports;
    mod two_controllers;
    mod two_nodes;
    mod unique;
}
