#include "codec/wal/directory.h"

#include "base/error.h"
#include "base/format.h"
#include "codec/types.h"
#include "codec/wal/container/direction.h"
#include "codec/wal/record/template_finder.h"
#include "wal/record.h"

#include <algorithm>
#include <array>
#include <concepts>
#include <limits>
#include <string_view>

namespace walden::codec::wal_codec {

namespace {

[[noreturn]] void refuse(std::string_view what) {
    throw Error(ErrorKind::corrupt, format("directory of a split WAL content: {}", what));
}

/// Numbers to and from the bytes of a directory: 7 bits a byte, the lowest first. What a field is
/// and which values it may have is said once, for both directions.
template <Direction direction>
class DirectoryCoder;

template <>
class DirectoryCoder<Direction::split> {
public:
    explicit DirectoryCoder(Bytes& out) : out_(out) {}

    template <std::unsigned_integral T>
    void number(const T& value, std::uint64_t /*max*/, std::string_view /*name*/) {
        std::uint64_t rest = value;
        for (; rest >= 0x80; rest >>= 7) out_.push_back(static_cast<std::byte>(rest | 0x80));
        out_.push_back(static_cast<std::byte>(rest));
    }

    void bytes(ByteView value) { append(out_, value); }

private:
    Bytes& out_;
};

template <>
class DirectoryCoder<Direction::join> {
public:
    explicit DirectoryCoder(ByteView directory) : rest_(directory) {}

    template <std::unsigned_integral T>
    void number(T& value, std::uint64_t max, std::string_view name) {
        std::uint64_t read = 0;
        for (unsigned shift = 0;; shift += 7) {
            if (rest_.empty() || shift > 63) refuse(name);
            const auto byte = static_cast<std::uint64_t>(rest_[0]);
            rest_ = rest_.subspan(1);
            if (shift == 63 && byte > 1) refuse(name);
            read |= (byte & 0x7F) << shift;
            if (byte < 0x80) break;
        }
        if (read > std::min<std::uint64_t>(max, std::numeric_limits<T>::max())) refuse(name);
        value = static_cast<T>(read);
    }

    ByteView take(std::size_t size) {
        if (size > rest_.size()) refuse("ends too early");
        const ByteView taken = rest_.first(size);
        rest_ = rest_.subspan(size);
        return taken;
    }

    [[nodiscard]] std::size_t remaining() const { return rest_.size(); }

private:
    ByteView rest_;
};

constexpr std::uint64_t any = std::numeric_limits<std::uint64_t>::max();

/// Two flags in one number.
template <Direction direction>
void code_flags(DirectoryCoder<direction>& coder, bool& low, bool& high, std::string_view name) {
    auto flags = static_cast<std::uint8_t>((low ? 1 : 0) | (high ? 2 : 0));
    coder.number(flags, 3, name);
    low = (flags & 1) != 0;
    high = (flags & 2) != 0;
}

template <Direction direction>
void code_chain(DirectoryCoder<direction>& coder, SegmentModel& model) {
    PageChain& chain = model.chain;
    const std::uint32_t pages = model.plain_size / page_size;
    coder.number(chain.magic, any, "page magic");
    coder.number(chain.flags, wal::backup_block_removable, "page flags");
    coder.number(chain.timeline, any, "timeline");
    coder.number(chain.address, any, "address");
    code_flags(coder, chain.has_long_header, model.is_tail_zero, "flags");
    if (chain.has_long_header) {
        coder.number(chain.system_identifier, any, "system identifier");
        coder.number(chain.segment_size, any, "segment size");
    }
    coder.number(chain.owed, plain_size_max, "length owed by the record before");
    auto changes = static_cast<std::uint32_t>(chain.changes.size());
    coder.number(changes, page_changes_max, "number of page changes");
    chain.changes.resize(changes);
    std::uint32_t page = 0;
    for (PageChange& change : chain.changes) {
        std::uint32_t distance = change.page - page;
        coder.number(distance, pages, "page of a change");
        page += distance;
        if (distance == 0 || page >= pages) refuse("page of a change");
        change.page = page;
        coder.number(change.flags, wal::backup_block_removable, "changed page flags");
        coder.number(change.timeline, any, "changed timeline");
    }
    coder.number(model.record_count, model.plain_size / wal::record_header_size,
                 "number of records");
    coder.number(model.first_link, any, "link of the first record");
}

/// What was counted while the content was scanned, and the layout that follows from it.
template <Direction direction>
void code_statistics(DirectoryCoder<direction>& coder, RecordTemplate& known,
                     std::uint32_t count_max) {
    coder.number(known.count, count_max, "number of records of a template");
    for (Piece& piece : known.pieces) {
        coder.number(piece.length_min, piece.length_mask, "length of a piece");
        std::uint32_t range = piece.length_max - piece.length_min;
        coder.number(range, piece.length_mask - piece.length_min, "range of a length");
        piece.length_max = piece.length_min + range;
    }
    std::uint32_t room = prefix_room(known);
    for (Piece& piece : known.pieces) {
        if (!may_have_prefix(known, piece)) continue;
        coder.number(piece.prefix, std::min(room, prefix_size_max), "prefix of a piece");
        if (piece.prefix > piece.length_min && piece.prefix != piece.length_max)
            refuse("prefix of a piece");
        room -= piece.prefix;
    }
    if constexpr (direction == Direction::join) lay_out(known);
    auto offsets = static_cast<std::uint32_t>(known.xid_offsets.size());
    const Piece* const main = known.main_data();
    const std::uint32_t prefix = main != nullptr ? main->always_in_row() : 0;
    coder.number(offsets, prefix / 4, "number of transactions in main data");
    known.xid_offsets.resize(offsets);
    for (std::uint16_t& offset : known.xid_offsets)
        coder.number(offset, prefix >= 4 ? prefix - 4 : 0, "place of a transaction in main data");
}

template <Direction direction>
void code_item_model(DirectoryCoder<direction>& coder, ItemModel& items) {
    coder.number(items.usual_size, item_size_max, "usual size of items");
    coder.number(items.head_size, item_size_max, "size of heads of items");
}

template <Direction direction>
void code_relation(DirectoryCoder<direction>& coder, Relation& relation) {
    bool unused = false;
    code_flags(coder, relation.has_own_streams, unused, "flags of a relation");
    if (unused) refuse("flags of a relation");
    if (!relation.has_own_streams) return;
    code_item_model(coder, relation.page_items);
    code_item_model(coder, relation.inserted_rows);
    const bool is_in_words =
        relation.page_items.usual_size % 8 == 0 && relation.page_items.head_size % 8 == 0;
    if (!is_in_words) refuse("item sizes that are no multiple of 8");
}

void write_identity(DirectoryCoder<Direction::split>& coder, const RecordTemplate& known) {
    coder.number(known.info, any, "info");
    coder.number(known.resource_manager, any, "resource manager");
    // No header is shorter than one byte: 0 stands for a record that is not understood.
    const std::size_t size = known.is_opaque ? 0 : known.header.size() + 1;
    coder.number(size, any, "header size");
    if (!known.is_opaque) coder.bytes({known.header.data(), known.header.size()});
}

/// Makes the next template of `model`, and its relations, as the splitter did.
RecordTemplate& read_identity(DirectoryCoder<Direction::join>& coder, SegmentModel& model) {
    std::uint8_t info = 0;
    std::uint8_t resource_manager = 0;
    std::uint32_t size = 0;
    coder.number(info, any, "info");
    coder.number(resource_manager, any, "resource manager");
    coder.number(size, header_size_max - wal::record_header_size + 1, "header size");
    if (size == 0) {
        RecordTemplate& made = model.next_template();
        make_opaque_template(info, resource_manager, made);
        return made;
    }
    std::array<std::byte, header_size_max> record{};
    record[wal::record_info_offset] = static_cast<std::byte>(info);
    record[wal::record_manager_offset] = static_cast<std::byte>(resource_manager);
    const ByteView header = coder.take(size - 1);
    if (!header.empty())
        std::memcpy(record.data() + wal::record_header_size, header.data(), header.size());
    HeaderShape shape;
    if (!read_header_shape({record.data(), wal::record_header_size + header.size()}, *model.version,
                           shape))
        refuse("template that is no record header");
    std::array<std::uint32_t, blocks_max> relations{};
    model.find_relations(record.data(), shape, relations);
    RecordTemplate& made = model.next_template();
    make_template(record.data(), shape, relations, made);
    return made;
}

}  // namespace

void write_directory(SegmentModel& model, Bytes& out) {
    DirectoryCoder<Direction::split> coder(out);
    code_chain(coder, model);
    coder.number(model.template_count, any, "number of templates");
    for (std::uint32_t i = 0; i < model.template_count; ++i) {
        write_identity(coder, model.templates[i]);
        code_statistics(coder, model.templates[i], 0);
    }
    for (Relation& relation : model.relations) code_relation(coder, relation);
}

void read_directory(ByteView directory, std::size_t plain_size, SegmentModel& model) {
    if (plain_size == 0 || plain_size % page_size != 0 || plain_size > plain_size_max)
        refuse("content is not a whole number of pages");
    model.plain_size = static_cast<std::uint32_t>(plain_size);
    DirectoryCoder<Direction::join> coder(directory);
    code_chain(coder, model);
    model.version = wal::find_wal_version(model.chain.magic);
    if (model.version == nullptr) refuse("unknown page magic");
    std::uint32_t templates = 0;
    coder.number(templates, templates_max, "number of templates");
    std::uint64_t records = 0;
    for (std::uint32_t i = 0; i < templates; ++i) {
        RecordTemplate& made = read_identity(coder, model);
        code_statistics(coder, made, model.record_count);
        fill_in_constants(made);
        if (made.count == 0) refuse("template without records");
        records += made.count;
    }
    if (records != model.record_count) refuse("templates do not add up");
    std::uint64_t own_bytes_min = 0;
    for (Relation& relation : model.relations) {
        code_relation(coder, relation);
        if (relation.has_own_streams) own_bytes_min += own_relation_bytes_min;
    }
    if (own_bytes_min > plain_size) refuse("more relations than the content has room for");
    if (coder.remaining() != 0) refuse("has more than it should");
    model.assign_streams();
    model.list_slots();
}

}  // namespace walden::codec::wal_codec
