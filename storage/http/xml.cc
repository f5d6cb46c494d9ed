#include "storage/http/xml.h"

#include <expat.h>

#include <algorithm>
#include <limits>
#include <memory>

namespace walden::storage {

namespace {

struct FreeParser {
    void operator()(XML_Parser parser) const noexcept { XML_ParserFree(parser); }
};

/// What the callbacks build. The open elements hold each other: the innermost is at the back.
struct Builder {
    XML_Parser parser = nullptr;
    std::vector<XmlElement> open;
    std::optional<XmlElement> root;
    std::size_t element_count = 0;
    std::size_t text_size = 0;
    bool is_refused = false;

    void refuse() {
        is_refused = true;
        XML_StopParser(parser, XML_FALSE);
    }
};

std::string_view without_prefix(std::string_view name) {
    const std::size_t colon = name.rfind(':');
    return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

// expat is C: no exception may pass through it.
template <class Body>
void guarded(Builder& builder, const Body& body) noexcept {
    try {
        if (!builder.is_refused) body();
    } catch (...) {
        builder.refuse();
    }
}

void start_element(void* user, const XML_Char* name, const XML_Char**) noexcept {
    auto& builder = *static_cast<Builder*>(user);
    guarded(builder, [&] {
        if (builder.open.size() >= xml_depth_max || ++builder.element_count > xml_element_count_max)
            return builder.refuse();
        builder.open.push_back(
            {.name = std::string(without_prefix(name)), .text = {}, .children = {}});
    });
}

void end_element(void* user, const XML_Char*) noexcept {
    auto& builder = *static_cast<Builder*>(user);
    guarded(builder, [&] {
        XmlElement element = std::move(builder.open.back());
        builder.open.pop_back();
        if (!element.children.empty() &&
            element.text.find_first_not_of(" \t\r\n") == std::string::npos)
            element.text.clear();
        if (builder.open.empty())
            builder.root = std::move(element);
        else
            builder.open.back().children.push_back(std::move(element));
    });
}

void take_text(void* user, const XML_Char* text, int size) noexcept {
    auto& builder = *static_cast<Builder*>(user);
    guarded(builder, [&] {
        builder.text_size += static_cast<std::size_t>(size);
        // The five predefined entities and character references cannot make more of less.
        if (builder.text_size > xml_size_max) return builder.refuse();
        if (!builder.open.empty())
            builder.open.back().text.append(text, static_cast<std::size_t>(size));
    });
}

void refuse_doctype(void* user, const XML_Char*, const XML_Char*, const XML_Char*, int) noexcept {
    static_cast<Builder*>(user)->refuse();
}

}  // namespace

const XmlElement* XmlElement::child(std::string_view child_name) const {
    for (const XmlElement& candidate : children)
        if (candidate.name == child_name) return &candidate;
    return nullptr;
}

std::string_view XmlElement::text_of(std::string_view child_name) const {
    const XmlElement* element = child(child_name);
    return element == nullptr ? std::string_view() : std::string_view(element->text);
}

std::optional<XmlElement> parse_xml(ByteView document) {
    static_assert(xml_size_max <= std::numeric_limits<int>::max(), "expat takes an int");
    if (document.size() > xml_size_max) return std::nullopt;
    const std::unique_ptr<XML_ParserStruct, FreeParser> parser(XML_ParserCreate(nullptr));
    if (parser == nullptr) throw std::bad_alloc();
    Builder builder;
    builder.parser = parser.get();
    XML_SetUserData(parser.get(), &builder);
    XML_SetElementHandler(parser.get(), start_element, end_element);
    XML_SetCharacterDataHandler(parser.get(), take_text);
    XML_SetStartDoctypeDeclHandler(parser.get(), refuse_doctype);
    // S3 keeps a connection alive with white space while it completes an upload.
    std::string_view text = as_text(document);
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    const XML_Status status =
        XML_Parse(parser.get(), text.data(), static_cast<int>(text.size()), XML_TRUE);
    if (status != XML_STATUS_OK || builder.is_refused) return std::nullopt;
    return std::move(builder.root);
}

std::string escape_xml(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\'': out += "&apos;"; break;
            default: out += c;
        }
    }
    return out;
}

}  // namespace walden::storage
