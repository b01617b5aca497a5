//! The routes of persons, walks over all of them, and what a change of the mappings would touch.

use axum::routing::{get, post};
use rollcall_wire::rollcall::persons as ours;

use super::{READ_JOBS, Route, WRITE_JOBS, shape};
use crate::api::persons;

pub(super) fn all() -> Vec<Route> {
    let sweep = || Some(shape::<ours::SweepStatus>());
    vec![
        Route::get(
            "/rollcall/v1/jobs/{job}/persons/{externalId}",
            "person",
            READ_JOBS,
            Some(shape::<ours::PersonShown>()),
            get(persons::show),
        )
        .says("All that a job knows of one person: record, link, what was confirmed, what is due and why."),
        Route::get("/rollcall/v1/jobs/{job}/sweep", "sweep", READ_JOBS, sweep(), get(persons::sweep))
            .says("The last walk over a job's persons, and how far it is."),
        Route::post(
            "/rollcall/v1/jobs/{job}/sweep",
            "changeSweep",
            WRITE_JOBS,
            Some(shape::<ours::SweepRequest>()),
            (200, sweep()),
            post(persons::change_sweep),
        )
        .says("Starts, pauses, continues or cancels it."),
        Route::post(
            "/rollcall/v1/jobs/{job}/reevaluate",
            "reevaluate",
            WRITE_JOBS,
            Some(shape::<ours::ReevaluateRequest>()),
            (204, None),
            post(persons::reevaluate),
        )
        .says("Evaluates one person, or all of them, as if everything had been sent again."),
        Route::post(
            "/rollcall/v1/jobs/{job}/schema/impact",
            "schemaImpact",
            READ_JOBS,
            Some(shape::<ours::ImpactRequest>()),
            (200, Some(shape::<ours::ImpactAnswer>())),
            post(persons::impact),
        )
        .says("How many persons the job's mappings, or others, would touch. Nothing is written, and the directory is not asked."),
    ]
}
