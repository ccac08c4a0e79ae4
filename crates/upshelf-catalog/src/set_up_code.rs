use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};

/// Letters and digits that are not taken for one another.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Makes a set-up code: 16 random letters in groups of four, 80 bits.
///
/// # Panics
/// When the machine has no randomness to give.
pub fn new_set_up_code() -> String {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).expect("the machine gives random bytes");
    let letters: Vec<char> = bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    letters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_readable_and_differ() {
        let (one, other) = (new_set_up_code(), new_set_up_code());
        assert_ne!(one, other);
        assert_eq!(one.len(), 19);
        assert!(one.split('-').all(|group| group.bytes().all(|letter| LETTERS.contains(&letter))));
    }
}
