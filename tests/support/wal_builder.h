// Makes valid WAL out of nothing, and then spoils it: fixture of the WAL tests of every layer.
//
//   Bytes segment = WalBuilder().record(100).commit(...).switch_segment().segment(0);
//   builder.flip_byte(8300).cut_at(9000)
#pragma once

#include "base/bytes.h"
#include "wal/file_name.h"
#include "wal/record_reader.h"

#include <cstdint>
#include <vector>

namespace walden::test {

struct WalOptions {
    wal::SegmentName first = {1, 5};
    wal::SegmentSize segment_size = *wal::SegmentSize::from_bytes(1 << 20);
    std::uint32_t page_size = wal::default_page_size;
    std::uint16_t magic = 0xD110;
    std::uint64_t system_identifier = 7'301'234'567'890'123'456;
    wal::Lsn previous_record = {0x28};  ///< what the first record links to
    std::uint32_t seed = 1;             ///< of the pseudo-random payloads
};

/// What a record says about itself; the payload is up to the builder.
struct RecordKind {
    std::uint8_t resource_manager = 10;  ///< heap
    std::uint8_t info = 0;
    std::uint32_t xid = 1000;
};

/// A stream of WAL that grows over as many segments as it needs. All offsets are from the first
/// byte of the first segment. One thread at a time.
class WalBuilder {
public:
    explicit WalBuilder(WalOptions options = {});

    // Verbs that append. Payloads have the outer shape of real records (one main data piece).
    WalBuilder& record(std::uint32_t total_length, RecordKind kind = {});
    WalBuilder& record_with(ByteView main_data, RecordKind kind);
    /// A record with these bytes behind its header, whatever they are.
    WalBuilder& record_of(ByteView body, RecordKind kind);
    WalBuilder& commit(std::uint32_t xid, std::int64_t time);
    WalBuilder& abort(std::uint32_t xid, std::int64_t time);
    WalBuilder& checkpoint(wal::Lsn redo);
    /// A shutdown checkpoint that moves from the current timeline to `to`; later pages carry it.
    WalBuilder& change_timeline(wal::TimelineId to);
    /// Records of about `length` bytes until less than `rest` bytes of the current segment are
    /// left.
    WalBuilder& fill(std::uint32_t length, std::uint32_t rest);
    /// A record that ends exactly with the segment.
    WalBuilder& fill_exactly();
    WalBuilder& switch_segment();
    /// A record of which only the bytes up to the end of the current page were written before a
    /// crash, and the page after it, which says so.
    WalBuilder& torn_record(std::uint32_t total_length);

    // Verbs that spoil what is there.
    WalBuilder& flip_byte(std::size_t offset, unsigned bits = 1);
    WalBuilder& store(std::size_t offset, ByteView bytes);
    WalBuilder& zero(std::size_t offset, std::size_t size);
    WalBuilder& zero_from(std::size_t offset);
    /// All later verbs append at `offset`: as a crash that lost what came after it would.
    WalBuilder& cut_at(std::size_t offset);
    /// From the page at `offset` on, the file shows pages of `other`, a stream of the same length.
    WalBuilder& recycle_from(std::size_t offset, const WalBuilder& other);

    /// Corrects the CRC of the record that begins at `offset` and lies in one page.
    WalBuilder& seal_record(std::size_t offset);

    [[nodiscard]] wal::Lsn end() const;  ///< where the next record would begin

    [[nodiscard]] std::size_t end_offset() const { return at_; }

    [[nodiscard]] wal::Lsn last_record() const { return last_record_; }

    [[nodiscard]] const std::vector<wal::Lsn>& records() const { return records_; }

    [[nodiscard]] std::size_t offset_of(wal::Lsn lsn) const;
    /// On the timeline that the newest record is on.
    [[nodiscard]] wal::SegmentName name(std::size_t index) const;
    [[nodiscard]] Bytes segment(std::size_t index) const;

    /// All segments; valid until the next verb.
    [[nodiscard]] ByteView stream() const { return stream_; }

    [[nodiscard]] const WalOptions& options() const { return options_; }

    /// Reads segment `index` as the name and size say.
    [[nodiscard]] wal::SegmentReport read(std::size_t index = 0,
                                          const wal::SegmentCarry* carry_in = nullptr) const;

private:
    void append_record(Bytes body, RecordKind kind);
    void write(ByteView bytes);
    void begin_page(std::uint32_t remaining_length, std::uint16_t flags);
    void pad();
    std::byte random_byte();

    [[nodiscard]] std::size_t segment_bytes() const { return options_.segment_size.bytes(); }

    WalOptions options_;
    /// Whole segments, zeros where nothing was written. Not Bytes, whose copies are slow with
    /// sanitizers.
    std::vector<std::byte> stream_;
    std::size_t at_ = 0;  ///< next byte to write
    wal::TimelineId timeline_;
    wal::Lsn last_record_;
    std::vector<wal::Lsn> records_;
    std::uint32_t random_;
};

}  // namespace walden::test
