use super::openapi;

#[test]
fn the_document_reads() {
    assert_eq!(openapi()["openapi"], "3.1.0");
}
