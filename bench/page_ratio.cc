#include "bench/page_ratio.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "bench/measure.h"
#include "bench/ratio_methods.h"
#include "bench/report.h"
#include "codec/codec.h"
#include "codec/page/page_codec.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <utility>

namespace walden::bench {

namespace {

constexpr std::size_t page_size = 8192;
constexpr std::uint32_t blocks_per_file = 131'072;
constexpr const char* peer = "zstd-3/256K";

/// What a base backup codes alone.
struct Unit {
    ByteView plain;
    std::vector<std::uint32_t> blocks;
};

/// One way to store a unit.
struct Method {
    std::string name;
    std::function<void(const Unit& unit, Bytes& out)> encode;
    std::function<void(const Unit& unit, ByteView encoded, MutableByteView out)> decode;
};

/// "16384", "16384.2", "16384_fsm": a relation's file and not one of the others beside it.
bool is_relation(const std::string& name) {
    return !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) != 0;
}

std::uint32_t first_block_of(const std::string& name) {
    std::uint32_t segment = 0;
    const std::size_t dot = name.find('.');
    if (dot != std::string::npos)
        std::from_chars(name.data() + dot + 1, name.data() + name.size(), segment);
    return segment * blocks_per_file;
}

std::vector<std::string> find_files(const std::vector<std::string>& paths) {
    std::vector<std::string> files;
    for (const std::string& path : paths) {
        if (!std::filesystem::is_directory(path)) {
            files.push_back(path);
            continue;
        }
        for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
            if (entry.is_regular_file() && is_relation(entry.path().filename()))
                files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

/// The files and their units.
class DataFiles {
public:
    explicit DataFiles(const std::vector<std::string>& paths) {
        for (const std::string& path : find_files(paths)) {
            auto content = read_file(path, std::size_t{1} << 31);
            if (!content || content->size() < page_size) continue;
            files_.push_back(std::move(*content));
            add_units(files_.back(), first_block_of(std::filesystem::path(path).filename()));
        }
        if (units_.empty()) throw Error(ErrorKind::usage, "there are no relation files to measure");
    }

    [[nodiscard]] const std::vector<Unit>& units() const { return units_; }

    [[nodiscard]] std::size_t size() const { return size_; }

    [[nodiscard]] std::size_t file_count() const { return files_.size(); }

private:
    void add_units(const Bytes& file, std::uint32_t block) {
        const ByteView pages = ByteView(file).first(file.size() / page_size * page_size);
        for (std::size_t at = 0; at < pages.size(); at += codec::page_unit_size_max) {
            Unit unit{pages.subspan(at, std::min(codec::page_unit_size_max, pages.size() - at)),
                      {}};
            for (std::size_t i = 0; i < unit.plain.size() / page_size; ++i)
                unit.blocks.push_back(block++);
            units_.push_back(std::move(unit));
        }
        size_ += pages.size();
    }

    std::vector<Bytes> files_;
    std::vector<Unit> units_;
    std::size_t size_ = 0;
};

/// The first byte of what the page method stores is the codec that was used.
Method page_method(std::string name, codec::PageEncodeOptions options) {
    return {.name = std::move(name),
            .encode =
                [options](const Unit& unit, Bytes& out) {
                    const codec::Encoded encoded =
                        codec::encode_pages(unit.plain, options, unit.blocks);
                    out.assign(1, static_cast<std::byte>(encoded.codec));
                    append(out, encoded.bytes);
                },
            .decode =
                [](const Unit& unit, ByteView encoded, MutableByteView out) {
                    codec::decode_unit(static_cast<codec::CodecId>(encoded[0]), encoded.subspan(1),
                                       out, unit.blocks);
                }};
}

/// A compressor alone, on pieces of `piece_size` bytes.
Method plain_method(const RatioMethod& method, std::size_t piece_size, std::string name) {
    return {.name = std::move(name),
            .encode =
                [method, piece_size](const Unit& unit, Bytes& out) {
                    out.clear();
                    Bytes piece;
                    for (std::size_t at = 0; at < unit.plain.size(); at += piece_size) {
                        method.encode(
                            unit.plain.subspan(at, std::min(piece_size, unit.plain.size() - at)),
                            piece);
                        ByteWriter(out).write(static_cast<std::uint32_t>(piece.size()));
                        append(out, piece);
                    }
                },
            .decode =
                [method, piece_size](const Unit&, ByteView encoded, MutableByteView out) {
                    ByteReader reader(encoded);
                    for (std::size_t at = 0; at < out.size(); at += piece_size) {
                        const auto size = reader.read<std::uint32_t>();
                        method.decode(reader.read_bytes(size),
                                      out.subspan(at, std::min(piece_size, out.size() - at)));
                    }
                }};
}

std::vector<Method> all_methods() {
    using Backend = codec::PageEncodeOptions::Backend;
    std::vector<Method> methods;
    methods.push_back(page_method("page-zstd-1", {}));
    methods.push_back(page_method("page-lz4", {.backend = Backend::lz4}));
    constexpr std::size_t small_piece = std::size_t{256} << 10;
    for (const RatioMethod& method : ratio_methods()) {
        if (method.name == "zstd-1" || method.name == "lz4")
            methods.push_back(plain_method(method, codec::page_unit_size_max, method.name));
        if (method.name == "zstd-3") methods.push_back(plain_method(method, small_piece, peer));
    }
    return methods;
}

/// All units by one method, and that every byte comes back.
std::vector<Bytes> encode_all(const Method& method, const DataFiles& data) {
    std::vector<Bytes> encoded;
    Bytes back;
    for (const Unit& unit : data.units()) {
        Bytes out;
        method.encode(unit, out);
        back.resize(unit.plain.size());
        method.decode(unit, out, back);
        if (!equal(back, unit.plain))
            throw Error(ErrorKind::corrupt, format("a unit of {} does not come back", method.name));
        encoded.push_back(to_bytes(out));
    }
    return encoded;
}

std::size_t total_size(const std::vector<Bytes>& encoded) {
    std::size_t total = 0;
    for (const Bytes& unit : encoded) total += unit.size();
    return total;
}

void add_stages(const Method& method, const DataFiles& data, const std::vector<Bytes>& encoded,
                std::vector<Stage>& stages) {
    Stage encode{.name = method.name + " encode", .bytes = data.size(), .run = {}};
    encode.run = [&method, &data] {
        Bytes out;
        for (const Unit& unit : data.units()) {
            method.encode(unit, out);
            keep(out.size());
        }
    };
    stages.push_back(std::move(encode));
    Stage decode{.name = method.name + " decode", .bytes = data.size(), .run = {}};
    decode.run = [&method, &data, &encoded] {
        Bytes out;
        for (std::size_t i = 0; i < encoded.size(); ++i) {
            out.resize(data.units()[i].plain.size());
            method.decode(data.units()[i], encoded[i], out);
        }
    };
    stages.push_back(std::move(decode));
}

double cpu_speed(const Figure& figure) {
    return figure.cpu_ms.median <= 0
               ? 0
               : static_cast<double>(figure.bytes) / 1000 / figure.cpu_ms.median;
}

}  // namespace

bool run_page_ratio(const PageRatioOptions& options) {
    const DataFiles data(options.paths);
    const std::vector<Method> methods = all_methods();
    std::vector<std::vector<Bytes>> encoded;
    for (const Method& method : methods) encoded.push_back(encode_all(method, data));
    std::vector<Stage> stages;
    for (std::size_t i = 0; i < methods.size(); ++i)
        add_stages(methods[i], data, encoded[i], stages);
    const std::vector<Figure> figures =
        measure(stages, {.run_count = options.run_count, .warm_up_count = 0});
    if (options.prints_json) {
        std::fputs(to_json_lines(figures, describe_environment()).c_str(), stdout);
        return true;
    }
    const auto peer_method = std::find_if(methods.begin(), methods.end(),
                                          [](const Method& method) { return method.name == peer; });
    const auto peer_size = static_cast<double>(
        total_size(encoded[static_cast<std::size_t>(peer_method - methods.begin())]));
    std::puts(format("{} files, {:.1f} MB in units of 1 MiB; MB/s of CPU time on one thread",
                     data.file_count(), static_cast<double>(data.size()) / 1e6)
                  .c_str());
    std::puts(format("{:<12} {:>10} {:>8} {:>12} {:>8} {:>8}", "method", "MB", "ratio",
                     "/zstd-3/256K", "encode", "decode")
                  .c_str());
    for (std::size_t i = 0; i < methods.size(); ++i) {
        const auto size = static_cast<double>(total_size(encoded[i]));
        std::puts(format("{:<12} {:>10.3f} {:>8.2f} {:>12.3f} {:>8.0f} {:>8.0f}", methods[i].name,
                         size / 1e6, static_cast<double>(data.size()) / size, size / peer_size,
                         cpu_speed(figures[2 * i]), cpu_speed(figures[2 * i + 1]))
                      .c_str());
    }
    std::puts("The page codec's encode has decoded and compared each unit; no other's has.");
    const double share = static_cast<double>(total_size(encoded[0])) / peer_size;
    if (options.bar > 0 && share > options.bar)
        std::puts(format("bar of {} MISSED: {:.3f}", options.bar, share).c_str());
    return options.bar <= 0 || share <= options.bar;
}

}  // namespace walden::bench
