// Property: an archive says the same however it is cut into pieces, its names stay inside, and each
// file has as many bytes as were announced.
#include "base/error.h"
#include "pg/tar_reader.h"
#include "property.h"

#include <string>
#include <vector>

using namespace walden;
using namespace walden::pg;

namespace {

class Inspector : public TarSink {
public:
    void on_entry(const TarEntry& entry) override {
        require_property(!is_open_, "a file ends before the next entry begins");
        require_property(!entry.path.empty() && entry.path.front() != '/', "paths are relative");
        require_property(("/" + entry.path + "/").find("/../") == std::string::npos,
                         "paths stay inside");
        require_property(entry.kind == TarEntryKind::file || entry.size == 0,
                         "only files have bytes");
        text_ += entry.path + '\n' + entry.target + '\n';
        left_ = entry.size;
        is_open_ = entry.kind == TarEntryKind::file;
    }

    void on_data(ByteView piece) override {
        require_property(is_open_ && piece.size() <= left_, "no more bytes than announced");
        left_ -= piece.size();
        text_ += as_text(piece);
    }

    void on_file_end() override {
        require_property(is_open_ && left_ == 0, "as many bytes as announced");
        is_open_ = false;
        text_ += "|\n";
    }

    [[nodiscard]] const std::string& text() const { return text_; }

private:
    std::string text_;
    std::uint64_t left_ = 0;
    bool is_open_ = false;
};

std::string read(ByteView archive, std::size_t piece_size) {
    Inspector inspector;
    TarReader reader(inspector);
    try {
        for (std::size_t at = 0; at < archive.size(); at += piece_size)
            reader.feed(archive.subspan(at, std::min(piece_size, archive.size() - at)));
        reader.finish();
    } catch (const Error& error) {
        require_property(error.kind() == ErrorKind::corrupt, "a refusal is corrupt");
        return inspector.text() + error.message();
    }
    return inspector.text();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView archive(reinterpret_cast<const std::byte*>(data), size);
    const std::string whole = read(archive, size + 1);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{509}, std::size_t{512}})
        require_property(read(archive, piece) == whole, "the cut does not matter");
    return 0;
}
