//! SQLite's errors in the words of the store.

use rusqlite::ErrorCode;
use store::StoreError;

/// Translates an error that means "not done". Texts come from SQLite and name tables and rules, never values.
pub(crate) fn translate(error: &rusqlite::Error) -> StoreError {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked(text),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt(text),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => StoreError::ReadOnly(text),
        _ => StoreError::Failed(text),
    }
}

/// Whether a failed COMMIT surely left nothing behind. A full disk stops before the commit record is written; a failed
/// write or sync may have left the record where recovery finds it.
pub(crate) fn surely_not_committed(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy)
    )
}
