#include "codec/wal/record/prefix_choice.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace walden::codec::wal_codec {

namespace {

/// A piece whose lengths differ by no more than this, and that is not longer than padded_max, is
/// padded: updates that change a number have one byte of it or some, always at the same place.
constexpr std::uint32_t padded_range_max = 8;
constexpr std::uint32_t padded_max = 128;

/// No more bytes than this of a piece whose length varies.
constexpr std::uint32_t prefix_max = 160;
constexpr std::size_t samples_min = 16;

/// At least so many bytes of main data, where numbers and transactions are, and of pieces whose
/// words are predicted, whatever the samples say.
constexpr std::uint32_t main_prefix_min = 32;
constexpr std::uint32_t predicted_prefix_min = 64;

/// Entropies in bits are those of so many samples: bytes that are as good as random show about 5.8
/// of the 6 that there can be, letters and digits of text 3 to 5.
constexpr float number_entropy_max = 2.5F;
constexpr float text_entropy_max = 5.4F;

/// n * log2(n) for the numbers of samples that there can be.
std::array<float, template_samples_max + 1> make_weights() {
    std::array<float, template_samples_max + 1> weights{};
    for (std::size_t n = 1; n < weights.size(); ++n)
        weights[n] = static_cast<float>(n) * std::log2(static_cast<float>(n));
    return weights;
}

/// The order-0 entropy in bits of a byte, by samples of it.
class SampledEntropy {
public:
    float of(const std::byte* values, std::size_t count) {
        float sum = weights_[count];
        for (std::size_t i = 0; i < count; ++i) ++counts_[static_cast<std::uint8_t>(values[i])];
        for (std::size_t i = 0; i < count; ++i) {
            // The first of equal values stands for all of them.
            std::uint8_t& equal = counts_[static_cast<std::uint8_t>(values[i])];
            sum -= weights_[equal];
            equal = 0;
        }
        return sum / static_cast<float>(count);
    }

private:
    std::array<float, template_samples_max + 1> weights_ = make_weights();
    std::array<std::uint8_t, 256> counts_{};
};

/// What it is worth that a byte of this entropy lies in a column of its own, in bits: numbers gain,
/// as they have nothing to do with what lies beside them; text loses the words that it repeats;
/// random bytes cost the same everywhere, but are better not among text.
float worth(float entropy) {
    if (entropy < number_entropy_max) return 3.5F - entropy;
    return entropy < text_entropy_max ? -1.5F : 1.0F;
}

/// The number of bytes whose columns together are worth most.
std::uint32_t best_prefix(const RecordTemplate& known, std::size_t index, const std::byte* linear) {
    static thread_local SampledEntropy entropy;
    const std::uint32_t size = std::min(known.pieces[index].length_min, prefix_max);
    std::array<const std::byte*, template_samples_max> places{};
    for (std::size_t i = 0; i < known.sample_count; ++i) {
        const std::byte* const record = linear + known.samples[i];
        places[i] = record + known.header_size;
        for (std::size_t piece = 0; piece < index; ++piece)
            places[i] += length_of(known.pieces[piece], record);
    }
    std::array<std::byte, template_samples_max> column;
    float sum = 0;
    float best_sum = 0;
    std::uint32_t best = 0;
    for (std::uint32_t at = 0; at < size; ++at) {
        for (std::size_t i = 0; i < known.sample_count; ++i) column[i] = places[i][at];
        sum += worth(entropy.of(column.data(), known.sample_count));
        if (sum < best_sum) continue;
        best_sum = sum;
        best = at + 1;
    }
    return best;
}

std::uint32_t least_prefix(const RecordTemplate& known, const Piece& piece) {
    const bool is_main = piece.kind == PieceKind::main_data;
    const bool is_predicted =
        is_main ? known.role == RecordRole::heap_update : known.role == RecordRole::btree_insert;
    const std::uint32_t least = is_predicted ? predicted_prefix_min : is_main ? main_prefix_min : 0;
    return std::min(least, piece.length_min);
}

std::uint32_t wanted_prefix(const RecordTemplate& known, std::size_t index,
                            const std::byte* linear) {
    const Piece& piece = known.pieces[index];
    if (piece.length_min == piece.length_max && piece.length_max <= prefix_size_max)
        return piece.length_max;
    if (piece.length_max - piece.length_min <= padded_range_max && piece.length_max <= padded_max)
        return piece.length_max;
    if (known.sample_count < samples_min) return std::min(piece.length_min, prefix_max);
    return std::max(least_prefix(known, piece), best_prefix(known, index, linear));
}

}  // namespace

void choose_prefixes(RecordTemplate& known, const std::byte* linear) {
    std::uint32_t room = prefix_room(known);
    for (std::size_t i = 0; i < known.pieces.size(); ++i) {
        Piece& piece = known.pieces[i];
        piece.prefix = 0;
        if (!may_have_prefix(known, piece)) continue;
        std::uint32_t prefix = wanted_prefix(known, i, linear);
        // Without room for the padding there is none.
        if (prefix > room) prefix = std::min(room, piece.length_min);
        piece.prefix = static_cast<std::uint16_t>(prefix);
        room -= prefix;
    }
}

}  // namespace walden::codec::wal_codec
