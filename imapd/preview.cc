#include "imapd/preview.h"

#include "lib/base/strings.h"
#include "lib/mail/charset.h"
#include "lib/mail/transfer_encoding.h"

namespace postern::imapd {
namespace {

constexpr std::size_t kEnough = 16384;  // bytes of a part that are looked at

// The first part that shows text: plain text before HTML within an alternative.
const mail::MimePart* text_part(const mail::MimePart& part) {
    if (part.children.empty()) return part.type.is("text") ? &part : nullptr;
    const mail::MimePart* html = nullptr;
    for (const mail::MimePart& child : part.children) {
        const mail::MimePart* found = text_part(child);
        if (found == nullptr) continue;
        if (!part.type.is("multipart", "alternative") || found->type.is("text", "plain"))
            return found;
        if (html == nullptr) html = found;
    }
    return html;
}

struct Entity {
    std::string_view name, text;
};
constexpr Entity kEntities[] = {
    {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&nbsp;", " "}, {"&#39;", "'"},
};

// Appends what the "&...;" at the front stands for; how long it is.
std::size_t append_entity(std::string& out, std::string_view html) {
    for (const Entity& entity : kEntities) {
        if (!istarts_with(html, entity.name)) continue;
        out += entity.text;
        return entity.name.size();
    }
    out += '&';
    return 1;
}

// The end of a <style>, <script> or <head> that begins here, or of the tag alone.
std::size_t skip_tag(std::string_view html) {
    for (const std::string_view name : {"style", "script", "head", "title"}) {
        if (!istarts_with(html.substr(1), name)) continue;
        const std::string close = cat({"</", name});
        for (std::size_t at = 1; at < html.size(); ++at)
            if (html[at] == '<' && istarts_with(html.substr(at), close)) return at;
        return html.size();
    }
    if (html.starts_with("<!--")) {
        const auto end = html.find("-->");
        return end == std::string_view::npos ? html.size() : end + 3;
    }
    const auto end = html.find('>');
    return end == std::string_view::npos ? html.size() : end + 1;
}

std::string without_tags(std::string_view html) {
    std::string out;
    while (!html.empty()) {
        std::size_t size = 1;
        if (html.front() == '<') {
            size = skip_tag(html);
            out += ' ';
        } else if (html.front() == '&') {
            size = append_entity(out, html);
        } else {
            out += html.front();
        }
        html.remove_prefix(std::max<std::size_t>(size, 1));
    }
    return out;
}

// Quoted lines of an answer say nothing new.
std::string without_quotes(std::string_view text) {
    std::string out;
    for (const std::string_view line : split(text, '\n'))
        if (!line.starts_with('>')) out += cat({line, "\n"});
    return out;
}

std::string first_characters(std::string_view utf8) {
    std::string out;
    for (std::size_t count = 0; !utf8.empty() && count < kPreviewCharacters;) {
        const char32_t c = mail::take_utf8(utf8);
        const bool blank = c <= 0x20 || c == 0x7F || c == 0xA0;
        if (blank && (out.empty() || out.back() == ' ')) continue;
        if (blank)
            out += ' ';
        else
            mail::append_utf8(out, c);
        ++count;
    }
    return std::string(trim(out));
}

}  // namespace

std::string preview_of(std::string_view message, const mail::MimePart& structure) {
    const mail::MimePart* part = text_part(structure);
    if (part == nullptr) return "";
    const auto body = part->body(message).substr(0, kEnough);
    const std::string bytes = mail::decode_content(part->encoding, body);
    const std::string* charset = part->type.parameter("charset");
    std::optional<std::string> utf8;
    if (charset != nullptr) utf8 = mail::to_utf8(*charset, bytes);
    if (!utf8) utf8 = mail::guess_utf8(bytes);
    const bool html = part->type.is("text", "html");
    return first_characters(html ? without_tags(*utf8) : without_quotes(*utf8));
}

}  // namespace postern::imapd
