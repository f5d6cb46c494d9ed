// Runs a fuzz target over a directory of inputs, so that every build and every compiler keeps what
// fuzzing has found. Each input is also tried cut short and with single bytes changed:
// deterministic, cheap, and enough to make a target that cannot fail look suspicious.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t variant_count_max = 400;

void run(const std::vector<std::uint8_t>& input) {
    LLVMFuzzerTestOneInput(input.data(), input.size());
}

void run_variants(const std::vector<std::uint8_t>& input) {
    const std::size_t step = input.size() / variant_count_max + 1;
    for (std::size_t at = 0; at < input.size(); at += step) {
        std::vector<std::uint8_t> variant = input;
        variant[at] = static_cast<std::uint8_t>(variant[at] ^ (1U << at % 8));
        run(variant);
        variant.assign(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(at));
        run(variant);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: replay_NAME CORPUS_DIRECTORY\n", stderr);
        return 2;
    }
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
        std::ifstream file(entry.path(), std::ios::binary);
        const std::vector<std::uint8_t> input((std::istreambuf_iterator<char>(file)),
                                              std::istreambuf_iterator<char>());
        run(input);
        run_variants(input);
        ++count;
    }
    std::printf("%zu inputs\n", count);
    return count > 0 ? 0 : 1;  // an empty corpus is a mistake in the path
}
