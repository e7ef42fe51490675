// Tables held in memory: inline:{…}, static:value, randmap:{…}, environ:, fail:text, and texthash:
// (a map file read as text, read again when it changed).
#pragma once

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "lib/table/source.h"
#include "lib/table/table.h"

namespace postern::table {

class MemoryTable final : public Table {
  public:
    using Entries = std::map<std::string, std::string, std::less<>>;

    MemoryTable(Entries entries, Fold fold) : entries_(std::move(entries)), fold_(fold) {}
    // "{ key = value, { key = a value } }"
    static Result<std::unique_ptr<Table>> parse_inline(std::string_view text, Fold fold);

    Lookup<std::string> lookup(std::string_view key) override;
    Result<void> each(const Visitor& visit) override;

  private:
    Entries entries_;
    Fold fold_;
};

// Answers every key with one value.
class StaticTable final : public Table {
  public:
    explicit StaticTable(std::string value) : value_(std::move(value)) {}
    Lookup<std::string> lookup(std::string_view) override { return value_; }

  private:
    std::string value_;
};

// fail: every lookup fails; for tests of configurations.
class FailTable final : public Table {
  public:
    explicit FailTable(std::string name) : name_(std::move(name)) {}
    Lookup<std::string> lookup(std::string_view) override;
    bool patterns() const override { return true; }

  private:
    std::string name_;
};

// randmap:{ a, b }: answers every key with one of the values, by chance.
class RandomTable final : public Table {
  public:
    static Result<std::unique_ptr<Table>> parse(std::string_view text);
    explicit RandomTable(std::vector<std::string> values) : values_(std::move(values)) {}
    Lookup<std::string> lookup(std::string_view key) override;

  private:
    std::vector<std::string> values_;
    std::minstd_rand random_{std::random_device{}()};
};

// environ: answers with the environment variable of that name.
class EnvironmentTable final : public Table {
  public:
    Lookup<std::string> lookup(std::string_view key) override;
};

class TextHashTable final : public Table {
  public:
    static Result<std::unique_ptr<Table>> open(std::string_view path, Fold fold);

    Lookup<std::string> lookup(std::string_view key) override;
    Result<void> each(const Visitor& visit) override;
    std::vector<std::string> warnings() const override { return warnings_; }

  private:
    TextHashTable(std::string_view path, Fold fold) : watch_(std::string(path)), fold_(fold) {}
    Result<void> refresh();
    void add(const LogicalLine& line);

    FileWatch watch_;
    Fold fold_;
    bool open_ = false;  // its opener tells of the first text's warnings
    MemoryTable::Entries entries_;
    std::vector<std::string> warnings_;
};

}  // namespace postern::table
