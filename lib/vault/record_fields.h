// Records of tagged fields (FORMAT.md, sections 4 and 8): `u16 version`, then fields
// `u16 tag | u32 size | bytes`, ascending, each at most once. A reader skips a tag that it does not
// know unless its high bit says that it must be understood.
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "base/format.h"

#include <cstdint>
#include <string_view>

namespace walden::vault {

inline constexpr std::uint16_t record_must_understand = 0x8000;

/// Writes such a record.
class RecordWriter {
public:
    RecordWriter(Bytes& out, std::uint16_t version) : out_(out), writer_(out) {
        writer_.write(version);
    }

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

/// Reads one. `what` names the record in messages: "intent of a backup".
class RecordReader {
public:
    RecordReader(ByteView bytes, std::uint16_t version, std::string_view what)
        : reader_(bytes), what_(what) {
        const auto found = reader_.read<std::uint16_t>();
        if (found == version) return;
        if (!reader_.ok() || found == 0) fail("version");
        throw Error(ErrorKind::usage,
                    format("{} has format {}, which is newer than this version of walden "
                           "understands",
                           what_, found))
            .with_hint("Upgrade walden on this host.");
    }

    /// Calls `read(tag, field)` for each field; it returns false for a tag that it does not know,
    /// and must use the others up. Throws Error(corrupt), Error(usage) for an unknown field that
    /// must be understood.
    template <class Read>
    void read_all(const Read& read) {
        std::uint16_t previous = 0;
        while (reader_.remaining() != 0) {
            const auto tag = reader_.read<std::uint16_t>();
            ByteReader field(reader_.read_bytes(reader_.read<std::uint32_t>()));
            if (!reader_.ok()) fail("truncated");
            const auto order = static_cast<std::uint16_t>(tag & ~unsigned{record_must_understand});
            if (order <= previous) fail("fields out of order");
            previous = order;
            if (!read(tag, field))
                skip(tag);
            else if (!field.ok() || field.remaining() != 0)
                fail(format("field {:#x}", tag));
        }
    }

    [[noreturn]] void fail(std::string_view why) const {
        throw Error(ErrorKind::corrupt, format("{} is malformed: {}", what_, why));
    }

private:
    void skip(std::uint16_t tag) const {
        if ((tag & record_must_understand) == 0) return;
        throw Error(ErrorKind::usage,
                    format("{} has a field {:#x} that this version of walden does not understand",
                           what_, tag))
            .with_hint("Upgrade walden on this host.");
    }

    ByteReader reader_;
    std::string_view what_;
};

}  // namespace walden::vault
