//! Answers in the gzip format, as echo sends them. Nothing is made smaller: the format allows it, and
//! a client notices no difference.

/// The longest block of the format that is not compressed.
const LONGEST: usize = 0xffff;

/// The bytes as a gzip file.
pub(crate) fn wrapped(bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let blocks: Vec<&[u8]> = match bytes.is_empty() {
        true => vec![bytes],
        false => bytes.chunks(LONGEST).collect(),
    };
    for (at, block) in blocks.iter().enumerate() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        file.push(u8::from(at + 1 == blocks.len()));
        file.extend(length.to_le_bytes());
        file.extend((!length).to_le_bytes());
        file.extend_from_slice(block);
    }
    file.extend(checksum(bytes).to_le_bytes());
    // Modulo 2^32, as the format says.
    file.extend((bytes.len() as u32).to_le_bytes());
    file
}

/// CRC-32, by half bytes.
fn checksum(bytes: &[u8]) -> u32 {
    let table: [u32; 16] = std::array::from_fn(|at| {
        (0..4).fold(at as u32, |rest, _| match rest & 1 {
            0 => rest >> 1,
            _ => (rest >> 1) ^ 0xedb8_8320,
        })
    });
    let step = |sum: u32, half: u32| table[((sum ^ half) & 0xf) as usize] ^ (sum >> 4);
    !bytes.iter().fold(!0, |sum, byte| {
        let byte = u32::from(*byte);
        step(step(sum, byte & 0xf), byte >> 4)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_format() {
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
        assert_eq!(checksum(b""), 0);
    }

    #[test]
    fn long_answers_have_several_blocks() {
        assert_eq!(wrapped(&[7; 100_000]).len(), 100_000 + 10 + 2 * 5 + 8);
        assert_eq!(wrapped(b"").len(), 10 + 5 + 8);
    }
}
