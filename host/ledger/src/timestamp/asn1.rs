//! Reading DER by hand, where what is read must be kept as the exact bytes: a hash or a signature is over them.

use der::asn1::AnyRef;
use der::{Reader as _, SliceReader, Tag, TagNumber, Tagged as _};

/// The elements of a SET OF or SEQUENCE OF, each with its tag and length.
pub(super) fn elements(value: &[u8]) -> der::Result<Vec<&[u8]>> {
    let mut reader = SliceReader::new(value)?;
    let mut elements = Vec::new();
    while !reader.is_finished() {
        elements.push(reader.tlv_bytes()?);
    }
    Ok(elements)
}

/// The content of the next element, which has this tag.
pub(super) fn content<'a>(reader: &mut SliceReader<'a>, tag: Tag) -> der::Result<&'a [u8]> {
    let element: AnyRef<'a> = reader.decode()?;
    element.tag().assert_eq(tag)?;
    Ok(element.value())
}

/// The content of the next element if it is `[number]` and constructed.
pub(super) fn tagged<'a>(reader: &mut SliceReader<'a>, number: TagNumber) -> der::Result<Option<&'a [u8]>> {
    let tag = Tag::ContextSpecific { constructed: true, number };
    if reader.is_finished() || reader.peek_tag()? != tag {
        return Ok(None);
    }
    content(reader, tag).map(Some)
}
