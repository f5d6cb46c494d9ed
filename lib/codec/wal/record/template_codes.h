// Template numbers: one byte for nearly all of them.
//
//   code      the record's template
//   0         the successor: what followed, last time, the template that this transaction had last
//   1 + n     template n; n up to 252
//   255       the next u16 of the stream `template_numbers`
//
// Others are not valid. Transactions are told apart by their lowest byte.
#pragma once

#include "codec/wal/container/direction.h"
#include "codec/wal/segment_model.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace walden::codec::wal_codec {

template <Direction direction>
class TemplateCodes {
public:
    explicit TemplateCodes(SegmentModel& model) : model_(model) {}

    /// The guess for a record of transaction `xid`.
    [[nodiscard]] std::uint32_t guess(std::uint32_t xid) const {
        const std::uint32_t last = last_[xid & 0xFF];
        return last < model_.template_count ? model_.templates.data()[last].successor : 0;
    }

    /// The template of the next record, for which `guess` is as above. False if the streams end or
    /// hold what is not valid. Splitting, the template exists.
    [[nodiscard]] bool move(std::uint32_t xid, std::uint32_t guess, std::uint32_t& index) {
        if constexpr (direction == Direction::split) {
            write(guess, index);
        } else {
            if (!read(guess, index) || index >= model_.template_count) return false;
        }
        std::uint32_t& last = last_[xid & 0xFF];
        model_.templates.data()[last].successor = index;
        last = index;
        return true;
    }

private:
    static constexpr std::uint8_t spelled_out = 255;
    static constexpr std::uint32_t short_codes = 253;

    void write(std::uint32_t guess, std::uint32_t index) {
        std::uint8_t code = 0;
        if (index != guess)
            code = index < short_codes ? static_cast<std::uint8_t>(index + 1) : spelled_out;
        if (code == spelled_out)
            store_le<std::uint16_t>(model_.common.template_numbers.extend(2),
                                    static_cast<std::uint16_t>(index));
        *model_.common.template_codes.extend(1) = static_cast<std::byte>(code);
    }

    bool read(std::uint32_t guess, std::uint32_t& index) {
        const std::byte* const taken = model_.common.template_codes.take(1);
        if (taken == nullptr) return false;
        const auto code = static_cast<std::uint8_t>(*taken);
        index = guess;
        if (code == 0) return true;
        index = code - 1U;
        if (index < short_codes) return true;
        const std::byte* const number =
            code == spelled_out ? model_.common.template_numbers.take(2) : nullptr;
        if (number == nullptr) return false;
        index = load_le<std::uint16_t>(number);
        return true;
    }

    SegmentModel& model_;
    std::array<std::uint32_t, 256> last_{};
};

}  // namespace walden::codec::wal_codec
