// What both sides know of one content: its pages, templates, relations, and the streams of them
// all.
//
// The splitter fills it while it scans the content; the joiner from the directory. From there on
// both do the same with it.
#pragma once

#include "codec/wal/container/stream.h"
#include "codec/wal/page_chain.h"
#include "codec/wal/record/record_template.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <vector>

namespace walden::codec::wal_codec {

/// A relation with fewer bytes of data and images than this has no streams of its own.
inline constexpr std::uint64_t own_relation_bytes_min = 12288;

/// How the items of a relation's pages, or the rows of its multi-inserts, are cut: those of the
/// usual size are rows as they are, of others the first bytes are rows and the rest is data.
/// Chosen by the splitter, stored in the directory.
struct ItemModel {
    bool is_chosen = false;
    std::uint16_t usual_size = 0;  ///< 0: none is usual
    std::uint16_t head_size = 0;   ///< 0: no heads

    friend bool operator==(const ItemModel&, const ItemModel&) = default;
};

inline constexpr std::uint16_t item_size_max = 600;

struct Relation {
    std::uint64_t bytes = 0;  ///< data and images in the content; only while splitting
    bool has_own_streams = false;
    ItemModel page_items;  ///< sizes are multiples of 8
    ItemModel inserted_rows;

    Stream* data = nullptr;
    Stream* line_pointers = nullptr;
    Stream* items = nullptr;
    Stream* item_heads = nullptr;
    Stream* insert_headers = nullptr;
    Stream* insert_rows = nullptr;
    Stream* insert_heads = nullptr;
};

inline constexpr std::uint32_t line_pointer_row_size = 5;
inline constexpr std::uint32_t insert_header_size = 7;
inline constexpr std::uint32_t page_header_row_size = 24;

/// The streams that every content has.
struct CommonStreams {
    Stream template_codes;  ///< 0: the successor; n: template n - 1; 255: see template_numbers
    Stream template_numbers;
    Stream xid_codes;  ///< xid_prediction.h
    Stream xids;
    Stream page_codes;  ///< how each image is stored
    Stream page_headers;
    Stream btree_specials;  ///< special spaces of 16 bytes, ...
    Stream small_specials;  ///< ... of 8
    Stream page_gaps;       ///< words of pages that belong to no item
    Stream uniform_pages;   ///< flags and length of pages whose line pointers are all alike
    Stream insert_codes;    ///< how each multi-insert is stored
    Stream rare_rows;       ///< of templates without streams of their own
    Stream rare_data;
    Stream whole_images;   ///< images of unknown structure
    Stream packed_images;  ///< those that PostgreSQL compressed
    Stream head;           ///< of a record begun before the content
    Stream cut;            ///< the last record, if it goes on behind the content
    Stream tail;           ///< from where no record follows

    /// Appends them in the order in which they are stored.
    void list(std::vector<StreamSlot>& slots);
};

struct SegmentModel {
    PageChain chain;
    const wal::WalVersion* version = nullptr;
    std::uint32_t plain_size = 0;
    std::uint32_t record_count = 0;
    std::uint64_t first_link = 0;  ///< xl_prev of the first record
    bool is_tail_zero = false;     ///< instead of the stream

    std::vector<RecordTemplate> templates;  ///< only the first template_count; others are spare
    std::uint32_t template_count = 0;
    std::vector<Relation> relations;

    CommonStreams common;

    /// For the next content. Memory is kept, within bounds.
    void clear();

    /// Gives each the streams of the other, whatever is in them. Lists and pointers to them are
    /// void.
    void exchange_streams(SegmentModel& other);

    /// The next template, to be made; a spare one if there is any. References to others are void.
    RecordTemplate& next_template();

    /// The relations of a record's blocks, new ones added.
    void find_relations(const std::byte* record, const HeaderShape& shape,
                        std::array<std::uint32_t, blocks_max>& found);

    /// Gives each template and relation its streams. Layouts are decided.
    void assign_streams();

    /// Lists the streams in the order in which they are stored. Item models are decided, too.
    void list_slots();

    [[nodiscard]] std::span<const StreamSlot> slots() const { return slots_; }

private:
    using RelationKey = std::array<std::byte, relation_size>;

    Stream* take_stream();
    void release_excess();

    std::map<RelationKey, std::uint32_t> relation_numbers_;
    std::deque<Stream> pool_;
    std::size_t pool_used_ = 0;
    std::vector<StreamSlot> slots_;
};

}  // namespace walden::codec::wal_codec
