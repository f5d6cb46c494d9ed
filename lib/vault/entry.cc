#include "vault/entry.h"

#include "base/error.h"
#include "base/format.h"

#include <algorithm>
#include <cassert>
#include <limits>

namespace walden::vault {

namespace {

constexpr std::uint16_t entry_version = 1;
constexpr std::uint16_t must_understand = 0x8000;

enum Tag : std::uint16_t {
    tag_kind = must_understand | 1,
    tag_file_name = must_understand | 2,
    tag_system_identifier = must_understand | 3,
    tag_plain_size = must_understand | 4,
    tag_content_id = must_understand | 5,
    tag_pieces = must_understand | 6,
    tag_inlined = must_understand | 7,
    tag_predecessor = 8,
    tag_writer = 9,
    tag_facts = 10,
    tag_plain_reasons = 11,
    tag_block_references = 12,
};

constexpr std::size_t piece_record_size = 32 + 8 + 8 + 1;

/// "Ascending tags": the high bit does not take part in the order.
std::uint16_t order_of(std::uint16_t tag) {
    return static_cast<std::uint16_t>(tag & ~unsigned{must_understand});
}

class FieldWriter {
public:
    explicit FieldWriter(Bytes& out) : out_(out), writer_(out) {}

    /// Writes one field whose bytes `fill` appends.
    template <class Fill>
    void field(std::uint16_t tag, const Fill& fill) {
        writer_.write(tag);
        const std::size_t size_at = out_.size();
        writer_.write(std::uint32_t{0});
        fill(writer_);
        store_le(out_.data() + size_at, static_cast<std::uint32_t>(out_.size() - size_at - 4));
    }

private:
    Bytes& out_;
    ByteWriter writer_;
};

[[noreturn]] void corrupt(std::string_view what) {
    throw Error(ErrorKind::corrupt, format("entry is malformed: {}", what));
}

void read_pieces(ByteReader& field, Entry& entry) {
    const auto count = field.read<std::uint32_t>();
    if (field.remaining() != count * std::uint64_t{piece_record_size})
        corrupt("size of the list of pieces");
    entry.pieces.resize(count);
    for (Piece& piece : entry.pieces) {
        piece.content_id.bytes = field.read_array<32>();
        piece.plain_size = field.read<std::uint64_t>();
        piece.stored_size = field.read<std::uint64_t>();
        piece.codec = static_cast<codec::CodecId>(field.read<std::uint8_t>());
    }
}

void read_plain_reasons(ByteReader& field, Entry& entry) {
    if (field.remaining() != entry.pieces.size()) corrupt("number of reasons");
    for (Piece& piece : entry.pieces)
        piece.plain_reason = static_cast<codec::PlainReason>(field.read<std::uint8_t>());
}

bool has_plain_reasons(const Entry& entry) {
    return std::any_of(entry.pieces.begin(), entry.pieces.end(), [](const Piece& piece) {
        return piece.plain_reason != codec::PlainReason::none;
    });
}

/// Reads the field `tag`; the reader must be used up and ok afterwards.
void read_field(std::uint16_t tag, ByteReader& field, Entry& entry) {
    switch (tag) {
        case tag_kind: {
            const auto kind = field.read<std::uint8_t>();
            if (kind < 1 || kind > 4) corrupt("kind of file");
            entry.kind = static_cast<FileKind>(kind);
            break;
        }
        case tag_file_name:
            entry.file_name = std::string(as_text(field.read_bytes(field.remaining())));
            break;
        case tag_system_identifier: entry.system_identifier = field.read<std::uint64_t>(); break;
        case tag_plain_size: entry.plain_size = field.read<std::uint64_t>(); break;
        case tag_content_id: entry.content_id.bytes = field.read_array<32>(); break;
        case tag_pieces: read_pieces(field, entry); break;
        case tag_inlined: entry.inlined = to_bytes(field.read_bytes(field.remaining())); break;
        case tag_predecessor:
            entry.predecessor.emplace();
            entry.predecessor->file_name = field.read_text();
            entry.predecessor->content_id.bytes = field.read_array<32>();
            break;
        case tag_writer:
            entry.writer.instance = field.read_array<16>();
            entry.writer.time = static_cast<std::int64_t>(field.read<std::uint64_t>());
            entry.writer.host = field.read_text();
            entry.writer.version = field.read_text();
            break;
        case tag_facts: entry.facts = to_bytes(field.read_bytes(field.remaining())); break;
        case tag_plain_reasons: read_plain_reasons(field, entry); break;
        case tag_block_references:
            entry.block_references = to_bytes(field.read_bytes(field.remaining()));
            break;
        default:
            if ((tag & must_understand) != 0)
                throw Error(ErrorKind::usage,
                            format("entry has a field {:#x} that this version of walden does not "
                                   "understand",
                                   tag))
                    .with_hint("Upgrade walden on this host.");
            field.read_bytes(field.remaining());
    }
    if (!field.ok() || field.remaining() != 0) corrupt(format("field {:#x}", tag));
}

void require_consistent(const Entry& entry) {
    if (entry.file_name.empty() || entry.file_name.size() > 64) corrupt("file name");
    std::uint64_t plain_size = 0;
    for (const Piece& piece : entry.pieces) {
        if (piece.plain_size > piece_size_max || piece.stored_size > (std::uint64_t{64} << 20))
            corrupt("size of a piece");
        plain_size += piece.plain_size;  // at most 2^32 pieces of 2^25 bytes: cannot overflow
    }
    if (entry.pieces.empty()) corrupt("no pieces");
    if (plain_size != entry.plain_size) corrupt("sizes of the pieces do not add up");
    if (plain_size > file_size_max) corrupt("size of the file");
    if (entry.pieces.size() == 1 && entry.pieces[0].content_id != entry.content_id)
        corrupt("content ids of file and piece differ");
    if (!entry.inlined.empty() &&
        (entry.pieces.size() != 1 || entry.inlined.size() > inline_size_max ||
         entry.inlined.size() != entry.pieces[0].stored_size))
        corrupt("inlined content");
}

}  // namespace

std::string_view to_string(FileKind kind) {
    switch (kind) {
        case FileKind::segment: return "segment";
        case FileKind::partial: return "partial segment";
        case FileKind::history: return "timeline history";
        case FileKind::backup_label: return "backup label";
    }
    return "unknown";
}

Bytes encode_entry(const Entry& entry) {
    Bytes out;
    ByteWriter(out).write(entry_version);
    FieldWriter fields(out);
    fields.field(tag_kind, [&](ByteWriter& w) { w.write(static_cast<std::uint8_t>(entry.kind)); });
    fields.field(tag_file_name, [&](ByteWriter& w) { w.write_bytes(as_bytes(entry.file_name)); });
    fields.field(tag_system_identifier, [&](ByteWriter& w) { w.write(entry.system_identifier); });
    fields.field(tag_plain_size, [&](ByteWriter& w) { w.write(entry.plain_size); });
    fields.field(tag_content_id, [&](ByteWriter& w) { w.write_bytes(entry.content_id.bytes); });
    fields.field(tag_pieces, [&](ByteWriter& w) {
        w.write(static_cast<std::uint32_t>(entry.pieces.size()));
        for (const Piece& piece : entry.pieces) {
            w.write_bytes(piece.content_id.bytes);
            w.write(piece.plain_size);
            w.write(piece.stored_size);
            w.write(static_cast<std::uint8_t>(piece.codec));
        }
    });
    if (!entry.inlined.empty())
        fields.field(tag_inlined, [&](ByteWriter& w) { w.write_bytes(entry.inlined); });
    if (entry.predecessor)
        fields.field(tag_predecessor, [&](ByteWriter& w) {
            w.write_text(entry.predecessor->file_name);
            w.write_bytes(entry.predecessor->content_id.bytes);
        });
    fields.field(tag_writer, [&](ByteWriter& w) {
        w.write_bytes(entry.writer.instance);
        w.write(static_cast<std::uint64_t>(entry.writer.time));
        w.write_text(entry.writer.host);
        w.write_text(entry.writer.version);
    });
    if (!entry.facts.empty())
        fields.field(tag_facts, [&](ByteWriter& w) { w.write_bytes(entry.facts); });
    if (has_plain_reasons(entry))
        fields.field(tag_plain_reasons, [&](ByteWriter& w) {
            for (const Piece& piece : entry.pieces)
                w.write(static_cast<std::uint8_t>(piece.plain_reason));
        });
    if (!entry.block_references.empty())
        fields.field(tag_block_references,
                     [&](ByteWriter& w) { w.write_bytes(entry.block_references); });
    return out;
}

Entry decode_entry(ByteView bytes) {
    ByteReader reader(bytes);
    if (const auto version = reader.read<std::uint16_t>(); version != entry_version) {
        if (!reader.ok() || version == 0) corrupt("version");
        throw Error(ErrorKind::usage, format("entry format {} is newer than this version of walden "
                                             "understands",
                                             version))
            .with_hint("Upgrade walden on this host.");
    }
    Entry entry;
    std::uint16_t previous = 0;
    unsigned required = 0;
    while (reader.remaining() != 0) {
        const auto tag = reader.read<std::uint16_t>();
        ByteReader field(reader.read_bytes(reader.read<std::uint32_t>()));
        if (!reader.ok()) corrupt("truncated");
        if (order_of(tag) <= previous) corrupt("fields out of order");
        previous = order_of(tag);
        if (tag >= tag_kind && tag <= tag_pieces) ++required;
        read_field(tag, field, entry);
    }
    if (required != 6) corrupt("a required field is missing");
    require_consistent(entry);
    return entry;
}

}  // namespace walden::vault
