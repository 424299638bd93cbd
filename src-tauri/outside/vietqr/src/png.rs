//! The picture of a payload as a PNG, for mails and chats that show no SVG.

use png::{BitDepth, ColorType, Compression, Encoder};
use qrcode::{Color, EcLevel, QrCode};

use crate::DrawError;

/// Modules of white around the code, as the standard asks.
const QUIET: usize = 4;
/// Largest picture, pixels a side.
const MOST: usize = 4096;

/// Draws `text` as a black-and-white PNG of at least `size` pixels a side (at most 4096), with a quiet zone of four
/// modules. Every module is the same whole number of pixels, so that nothing is blurred.
///
/// # Errors
/// [`DrawError`] above some 2,300 bytes.
pub fn png(text: &str, size: u32) -> Result<Vec<u8>, DrawError> {
    let code = QrCode::with_error_correction_level(text.as_bytes(), EcLevel::M).map_err(|_| DrawError)?;
    let width = code.width();
    let modules = width + 2 * QUIET;
    let wanted = usize::try_from(size).unwrap_or(MOST).min(MOST);
    let scale = wanted.div_ceil(modules).clamp(1, MOST / modules);
    let side = modules * scale;
    let colors = code.to_colors();
    let dark = |x: usize, y: usize| {
        let inside = |at: usize| (QUIET..QUIET + width).contains(&at);
        inside(x) && inside(y) && colors[(y - QUIET) * width + x - QUIET] == Color::Dark
    };
    // One bit a pixel, white is 1; rows begin at a byte.
    let mut picture = Vec::with_capacity(side.div_ceil(8) * side);
    for y in 0..modules {
        let mut row = vec![0_u8; side.div_ceil(8)];
        for x in (0..side).filter(|x| !dark(x / scale, y)) {
            row[x / 8] |= 0x80 >> (x % 8);
        }
        for _ in 0..scale {
            picture.extend_from_slice(&row);
        }
    }
    encode(side, &picture).map_err(|_| DrawError)
}

fn encode(side: usize, picture: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let side = u32::try_from(side).unwrap_or(u32::MAX);
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, side, side);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::One);
    encoder.set_compression(Compression::High);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(picture)?;
    writer.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYLOAD: &str = "00020101021238570010A00000072701270006970436011300100000003550208QRIBFTTA530370454061000005802VN62120808DH1234566304E509";

    #[test]
    fn a_picture_is_large_enough_square_and_has_its_quiet_zone() {
        for size in [0, 240, 777, 100_000] {
            let file = png(PAYLOAD, size).unwrap();
            let mut reader = png::Decoder::new(std::io::Cursor::new(&file)).read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            let info = reader.next_frame(&mut pixels).unwrap();
            assert_eq!(info.width, info.height);
            assert!(info.width >= size.min(4000) && info.width <= 4096, "{}", info.width);
            let modules =
                QrCode::with_error_correction_level(PAYLOAD, EcLevel::M).unwrap().width() as u32 + 8;
            let scale = info.width / modules;
            assert_eq!(scale * modules, info.width);
            let line = info.line_size;
            let white = |x: u32, y: u32| pixels[y as usize * line + x as usize / 8] >> (7 - x % 8) & 1 == 1;
            let edge = 4 * scale;
            assert!((0..info.width).all(|x| (0..edge).all(|y| white(x, y) && white(y, x))));
            assert!(!white(edge, edge), "the first finder pattern begins right after the quiet zone");
        }
    }

    #[test]
    fn a_text_that_does_not_fit_is_refused() {
        assert_eq!(png(&"x".repeat(3000), 100), Err(DrawError));
    }
}
