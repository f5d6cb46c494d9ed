#include "vault/sealed_contents.h"

#include "base/error.h"
#include "base/format.h"

#include <cassert>

namespace walden::vault {

std::optional<SealedContent> seal_content(const ClusterVault& vault, ByteView plain,
                                          const codec::EncodeOptions& options, Entry& entry) {
    if (plain.size() > piece_size_max)
        throw Error(ErrorKind::usage, format("{} bytes are more than one piece", plain.size()));
    entry.plain_size = plain.size();
    entry.inlined.clear();
    const codec::Encoded encoded = codec::encode(plain, options);
    Piece piece{.content_id = entry.content_id,
                .plain_size = plain.size(),
                .stored_size = 0,
                .codec = encoded.codec};
    SealedContent content{.key = vault.layout().content_key(entry.file_name, piece.content_id),
                          .object = {}};
    content.object = seal_object(vault.keys(), {.kind = ObjectKind::content, .key = content.key},
                                 {.codec = encoded.codec,
                                  .plain_size = plain.size(),
                                  .content_id = piece.content_id,
                                  .encoded = encoded.bytes});
    piece.stored_size = content.object.size();
    entry.pieces = {piece};
    if (content.object.size() > inline_size_max) return content;
    entry.inlined = std::move(content.object);
    return std::nullopt;
}

void put_sealed_content(const ClusterVault& vault, const SealedContent& content, Entry& entry) {
    assert(entry.pieces.size() == 1);
    if (vault.storage().put_new(content.key, content.object) == ObjectStorage::PutOutcome::created)
        return;
    entry.pieces.front().stored_size = vault.check_present_content(content.key);
}

}  // namespace walden::vault
