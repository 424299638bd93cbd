//! Google Drive as a target.

use gdrive::{Class, Drive};

use super::super::drive_error;
use crate::workers::StageError;

/// Looks whether the course's folder can still be opened.
///
/// # Errors
/// Permanent `link_broken` when it is gone or in the bin, else Drive's own.
pub(crate) async fn available(drive: &Drive, folder: &str) -> Result<(), StageError> {
    match drive.file(folder).await {
        Ok(file) if file.trashed => {
            Err(StageError::permanent("link_broken", "the course's folder lies in Drive's bin"))
        }
        Ok(_) => Ok(()),
        Err(error) if *error.class() == Class::NotFound => {
            Err(StageError::permanent("link_broken", "the course's folder is gone from Drive"))
        }
        Err(error) => Err(drive_error(error)),
    }
}
