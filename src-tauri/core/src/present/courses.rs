//! The catalogue: courses with their versions, bundles.

use chotdon_store::read::{CourseRecord, CourseStory};
use chotdon_store::{Announcement as Counts, BundleRecord, SourceCheck};

use super::{json, rfc3339, task_row};
use crate::delivery::Offered;
use crate::views::{
    Announcement, BundleName, BundleRow, CourseCheck, CourseDetail, CourseRow, ErrorText, Preparation,
    PriceRow, SourceFile, SourceListing, TestRow, VersionRow,
};

/// Files of a listing that are shown.
const SHOWN: usize = 20;

/// A course of the catalogue.
pub(crate) fn course_row(course: &CourseRecord) -> CourseRow {
    let all = course.sold_30d + course.failed_30d;
    CourseRow {
        slug: course.slug.clone(),
        title: course.title.clone(),
        price_vnd: course.price_vnd,
        source: json(&course.source),
        target: json(&course.target),
        enrolment: course.enrolment.as_deref().map(json),
        active: course.active,
        version: course.version,
        ready: course.ready,
        bytes: course.bytes,
        files: course.files,
        sold: course.sold,
        description: course.description.clone(),
        access_days: course.access_days,
        sold_30d: course.sold_30d,
        // Rounded up, so that one failure is never shown as none.
        failed_30d_percent: if all > 0 { (course.failed_30d * 100 + all - 1) / all } else { 0 },
        preparation: course.preparation_task.map(|task| Preparation {
            task,
            version: course.next_version.unwrap_or(course.version),
            state: course.preparation.clone().unwrap_or_default(),
            code: course.preparation_code.clone(),
        }),
        check: course.checked_at.map(|at| CourseCheck {
            at: rfc3339(at),
            state: course.check_state.clone().unwrap_or_default(),
            files: course.check_files,
            error: error(course.check_code.as_deref(), course.check_detail.as_deref()),
            queued_version: None,
        }),
    }
}

/// Everything about one course.
pub(crate) fn course_detail(story: &CourseStory, past: Counts) -> CourseDetail {
    CourseDetail {
        course: course_row(&story.course),
        versions: story
            .versions
            .iter()
            .map(|one| VersionRow {
                version: one.version,
                files: one.files,
                bytes: one.bytes,
                ready_at: rfc3339(one.ready_at),
                orders: one.orders,
            })
            .collect(),
        prices: story
            .prices
            .iter()
            .map(|(price_vnd, from_at)| PriceRow { price_vnd: *price_vnd, from_at: rfc3339(*from_at) })
            .collect(),
        test: story
            .test
            .as_ref()
            .map(|(task, email)| TestRow { email: email.clone(), task: task_row(task, None) }),
        bundles: story
            .bundles
            .iter()
            .map(|(title, slug)| BundleName { slug: slug.clone(), title: title.clone() })
            .collect(),
        past: announcement(past),
    }
}

/// Who gets a new version.
pub(crate) fn announcement(counts: Counts) -> Announcement {
    Announcement {
        version: counts.version,
        orders: counts.orders,
        buyers: counts.buyers,
        told: counts.told,
        busy: counts.busy,
        over: counts.over,
        queued: counts.queued,
    }
}

/// What a look at a source found just now.
pub(crate) fn course_check(found: &SourceCheck, queued: Option<i64>, now: i64) -> CourseCheck {
    CourseCheck {
        at: rfc3339(now),
        state: found.state.to_owned(),
        files: found.files,
        error: error(found.code.as_deref(), found.detail.as_deref()),
        queued_version: queued,
    }
}

/// What a source has; `None` for one that cannot be listed.
pub(crate) fn source_listing(offered: Option<&[Offered]>) -> SourceListing {
    let bytes = |size: u64| i64::try_from(size).unwrap_or(i64::MAX);
    let files = offered.unwrap_or_default();
    SourceListing {
        listed: offered.is_some(),
        files: i64::try_from(files.len()).unwrap_or(i64::MAX),
        bytes: files
            .iter()
            .filter_map(|file| file.size)
            .fold(0, |sum: i64, size| sum.saturating_add(bytes(size))),
        first: files
            .iter()
            .take(SHOWN)
            .map(|file| SourceFile { path: file.path.clone(), bytes: file.size.map(bytes) })
            .collect(),
    }
}

/// A bundle of the catalogue.
pub(crate) fn bundle_row(bundle: &BundleRecord) -> BundleRow {
    BundleRow {
        slug: bundle.slug.clone(),
        title: bundle.title.clone(),
        description: bundle.description.clone(),
        price_vnd: bundle.price_vnd,
        active: bundle.active,
        courses: bundle
            .courses
            .iter()
            .map(|(slug, title, _)| BundleName { slug: slug.clone(), title: title.clone() })
            .collect(),
        apart_vnd: bundle.courses.iter().map(|(_, _, price)| price).sum(),
        sold: bundle.sold,
    }
}

fn error(code: Option<&str>, detail: Option<&str>) -> Option<ErrorText> {
    code.map(|code| ErrorText {
        code: code.to_owned(),
        class: String::new(),
        detail: detail.unwrap_or_default().to_owned(),
    })
}
