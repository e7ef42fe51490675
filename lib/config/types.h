// The shape of a parameter row (see params/*.def) and the typed handles that programs pass to
// Config::get. A row costs one enumerator, one constant and one table entry: no templates, so that
// a thousand of them compile in no time.
#pragma once

#include <cstdint>
#include <string_view>

namespace postern::config {

enum class Type : unsigned char {
    Seconds,   // whole number with a unit (ms s m h d w); a bare number takes the default's unit
    Bytes,     // whole number
    Count,     // whole number
    Flag,      // yes or no
    Text,      // any text, $name expanded
    List,      // words separated by white space or commas; {…} keeps a word together
    Path,      // a file or folder name, $name expanded
    Choice,    // one of the words that the row lists
    Tables,    // a List whose words are mostly type:name
    Template,  // text that keeps its $name for its user, who knows more names (default_rbl_reply)
};

// What values a row allows, apart from its type. Numbers: of the row's unit (seconds for Seconds).
struct Limits {
    std::int64_t min = 0;
    std::int64_t max = INT64_MAX;
    std::string_view choices;  // words separated by spaces
};

inline constexpr Limits any{};
constexpr Limits range(std::int64_t min, std::int64_t max) { return {min, max, {}}; }
constexpr Limits at_least(std::int64_t min) { return {min, INT64_MAX, {}}; }
constexpr Limits one_of(std::string_view choices) { return {0, INT64_MAX, choices}; }

// The default of a row whose value is found out at run time (Settings::compute).
inline constexpr std::string_view kComputed = "\x01";

// What the suite does with a parameter. Nobody may be surprised by one that is read and then
// ignored: "postern check" tells the standing of each that is set, and master warns of those that
// are not_yet.
enum class Standing : unsigned char {
    honoured,   // the programs that read it are in Row::readers
    no_effect,  // known for Postfix's sake; the documentation says why this design needs no such
                // thing
    not_yet,    // to come; until then it does nothing
};

struct Row {
    std::string_view name;
    std::string_view default_text;
    Limits limits;
    std::string_view documentation;
    Type type = Type::Text;
    Standing standing = Standing::honoured;
};

// Handles: which type Config::get returns is in the handle's type.
enum class SecondsParam : std::uint16_t {};
enum class BytesParam : std::uint16_t {};
enum class CountParam : std::uint16_t {};
enum class FlagParam : std::uint16_t {};
enum class TextParam : std::uint16_t {};
enum class ListParam : std::uint16_t {};
enum class PathParam : std::uint16_t {};
enum class ChoiceParam : std::uint16_t {};
enum class TablesParam : std::uint16_t {};
enum class TemplateParam : std::uint16_t {};

}  // namespace postern::config
