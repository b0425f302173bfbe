//! A QR code as SVG.

use std::fmt::Write as _;

use qrcodegen::{QrCode, QrCodeEcc, Version};

/// Largest version that is shown: 97 modules a side, which a phone reads from a screen at arm's length. A longer link has no code.
const MAX_VERSION: u8 = 20;
/// Light modules around it (ISO/IEC 18004 §6.3.8).
const QUIET_MODULES: i32 = 4;

/// A code as one path of dark modules, for a page that draws it itself: black on white in every colour scheme, cameras expect that.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Drawn {
    /// Modules a side, with the light ones around it.
    pub(crate) size: i32,
    /// SVG path data: `M`, `h`, `v`, `H`, `z`, digits and spaces.
    pub(crate) path: String,
}

/// The code with `text` in it; `None` where it would be too fine.
pub(crate) fn drawn(text: &str) -> Option<Drawn> {
    let segments = qrcodegen::QrSegment::make_segments(text);
    let code = QrCode::encode_segments_advanced(
        &segments,
        QrCodeEcc::Low,
        Version::MIN,
        Version::new(MAX_VERSION),
        None,
        // A better correction where it costs no module.
        true,
    )
    .ok()?;
    let size = code.size() + 2 * QUIET_MODULES;
    let mut path = String::new();
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let begin = x;
            while code.get_module(x, y) {
                x += 1;
            }
            if x > begin {
                // Writing to a string does not fail.
                let _ = write!(
                    path,
                    "M{} {}h{}v1H{}z",
                    begin + QUIET_MODULES,
                    y + QUIET_MODULES,
                    x - begin,
                    begin + QUIET_MODULES
                );
            }
            x += 1;
        }
    }
    Some(Drawn { size, path })
}

/// The same as a picture. `label`: what it is, for who does not see it.
pub(super) fn svg(text: &str, label: &str) -> Option<String> {
    let Drawn { size, path } = drawn(text)?;
    Some(format!(
        "<svg class=\"qr\" role=\"img\" aria-label=\"{label}\" viewBox=\"0 0 {size} {size}\" shape-rendering=\"crispEdges\">\
         <rect width=\"{size}\" height=\"{size}\" fill=\"#fff\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(svg: &str) -> i32 {
        let rest = svg.split_once("viewBox=\"0 0 ").map_or("", |(_, rest)| rest);
        let size: i32 = rest.split(' ').next().and_then(|size| size.parse().ok()).unwrap_or(0);
        size - 2 * QUIET_MODULES
    }

    #[test]
    fn a_code_grows_with_its_link_and_stops_where_phones_do_not_read_it() {
        let of = |bytes: usize| svg(&"a".repeat(bytes), "x");
        assert_eq!(of(17).map(|svg| side(&svg)), Some(21));
        assert_eq!(of(425).map(|svg| side(&svg)), Some(69));
        assert_eq!(of(858).map(|svg| side(&svg)), Some(97));
        assert_eq!(of(859), None);
    }

    #[test]
    fn the_dark_modules_are_drawn_and_no_others() {
        let svg = svg("healthid", "x").unwrap_or_default();
        let code = QrCode::encode_text("healthid", QrCodeEcc::Low).ok();
        let code = code.map(|_| ());
        assert_eq!(code, Some(()));
        // The finder pattern's first row: seven dark modules in the corner.
        assert!(svg.contains("d=\"M4 4h7v1H4z"), "{svg}");
        assert_eq!(side(&svg), 21);
    }
}
