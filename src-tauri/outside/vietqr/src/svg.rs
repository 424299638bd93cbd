//! The picture of a payload, to be shown on a page or printed.

use qrcode::render::svg::Color;
use qrcode::{EcLevel, QrCode};

/// The text does not fit into a QR code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text does not fit into a QR code")]
pub struct DrawError;

/// Draws `text` as an SVG of at least `size` pixels a side, black on white with a quiet zone of four modules.
///
/// Error correction M; edges are crisp at every size; there is no script and nothing is loaded from elsewhere.
///
/// # Errors
/// [`DrawError`] above some 2,300 bytes.
pub fn svg(text: &str, size: u32) -> Result<String, DrawError> {
    let code = QrCode::with_error_correction_level(text.as_bytes(), EcLevel::M).map_err(|_| DrawError)?;
    let size = size.min(4096);
    let picture = code
        .render()
        .min_dimensions(size, size)
        .quiet_zone(true)
        .dark_color(Color("#000"))
        .light_color(Color("#fff"))
        .build();
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYLOAD: &str = "00020101021238570010A00000072701270006970436011300100000003550208QRIBFTTA530370454061000005802VN62120808DH1234566304E509";

    #[test]
    fn a_picture_is_crisp_quiet_and_harmless() {
        let picture = svg(PAYLOAD, 240).unwrap();
        assert!(picture.contains("shape-rendering=\"crispEdges\""));
        assert!(picture.contains("fill=\"#fff\"") && picture.contains("fill=\"#000\""));
        for harmful in ["<script", "href", "onload", "url(", "<image", "foreignObject"] {
            assert!(!picture.contains(harmful), "{harmful}");
        }
        // The first dark module is four modules away from the edges.
        let modules = QrCode::with_error_correction_level(PAYLOAD, EcLevel::M).unwrap().width() + 8;
        let side: usize =
            picture.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
        assert!(side >= 240 && side.is_multiple_of(modules));
        let quiet = side / modules * 4;
        assert!(picture.contains(&format!("M{quiet} {quiet}h")));
    }

    #[test]
    fn a_text_that_does_not_fit_is_refused() {
        assert_eq!(svg(&"x".repeat(3000), 100), Err(DrawError));
        assert!(svg("", 0).is_ok());
    }
}
