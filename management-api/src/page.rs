//! Pages of lists: `page` and `size` in, `{data, pagination, links}` out.

use crate::error::{ApiError, Result};
use definition::violation::Violation;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

const SIZE_DEFAULT: i64 = 10;
/// Items of one page.
const SIZE_MAX: i64 = 100;
/// Far beyond any list, and small enough that offsets cannot overflow.
const PAGE_MAX: i64 = 1_000_000_000;

/// The query parameters of a list. Numbers are read by hand so that refusals name the parameter.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// Page number, from 1.
    #[param(value_type = Option<i64>, minimum = 1, default = 1)]
    page: Option<String>,
    /// Items per page, 1 to 100.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100, default = 10)]
    size: Option<String>,
    /// The same under its 4.x name.
    #[serde(rename = "perPage")]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100)]
    per_page: Option<String>,
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    /// From 1.
    pub(crate) number: i64,
    pub(crate) size: i64,
}

/// Where a page stands in its list. Empty for an empty list.
#[derive(Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    per_page: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_count: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_items_count: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_count: Option<i64>,
}

/// Other pages of the same list.
#[derive(Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Links {
    #[serde(rename = "self", skip_serializing_if = "Option::is_none")]
    this: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Paged<T> {
    data: Vec<T>,
    pagination: Pagination,
    links: Links,
}

impl PageParams {
    /// Checks the numbers.
    pub(crate) fn page(&self) -> Result<Page> {
        self.page_of(SIZE_DEFAULT)
    }

    /// The same for a list whose pages have another size when none is asked for.
    pub(crate) fn page_of(&self, size_default: i64) -> Result<Page> {
        let size = self.size.as_ref().map(|text| ("size", text));
        let size = size.or(self.per_page.as_ref().map(|text| ("perPage", text)));
        Ok(Page {
            number: self.page.as_ref().map_or(Ok(1), |text| within("page", text, PAGE_MAX))?,
            size: size.map_or(Ok(size_default), |(name, text)| within(name, text, SIZE_MAX))?,
        })
    }
}

fn within(name: &'static str, text: &str, max: i64) -> Result<i64> {
    text.parse().ok().filter(|number| (1..=max).contains(number)).ok_or_else(|| {
        let message = format!("query parameter `{name}` must be a number from 1 to {max}");
        ApiError::from(Violation::new(name, "data.invalid", message).value(text))
    })
}

impl Page {
    /// Items before this page.
    pub(crate) fn offset(self) -> i64 {
        (self.number - 1) * self.size
    }

    /// The answer. `path` is the list's URL without a query.
    pub(crate) fn of<T>(self, data: Vec<T>, total: i64, path: &str) -> Paged<T> {
        if total == 0 {
            return Paged { data, pagination: Pagination::default(), links: Links::default() };
        }
        let count = (total + self.size - 1) / self.size;
        let pagination = Pagination {
            page: Some(self.number),
            per_page: Some(self.size),
            page_count: Some(count),
            page_items_count: i64::try_from(data.len()).ok(),
            total_count: Some(total),
        };
        Paged { data, pagination, links: self.links(count, path) }
    }

    fn links(self, count: i64, path: &str) -> Links {
        let link = |number: i64| Some(format!("{path}?page={number}&size={}", self.size));
        if self.number > count {
            return Links::default();
        }
        let others = count > 1;
        Links {
            this: link(self.number),
            first: others.then(|| link(1)).flatten(),
            last: others.then(|| link(count)).flatten(),
            previous: (self.number > 1).then(|| link(self.number - 1)).flatten(),
            next: (self.number < count).then(|| link(self.number + 1)).flatten(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(page: Option<&str>, size: Option<&str>) -> Result<Page> {
        let own = |text: Option<&str>| text.map(str::to_owned);
        PageParams { page: own(page), size: own(size), per_page: None }.page()
    }

    #[test]
    fn numbers_have_bounds_and_defaults() {
        assert_eq!(read(None, None).unwrap(), Page { number: 1, size: 10 });
        assert_eq!(read(Some("3"), Some("100")).unwrap().offset(), 200);
        for (page, size) in [("0", "1"), ("-1", "1"), ("x", "1"), ("1", "0"), ("1", "101"), ("1", "")] {
            assert!(read(Some(page), Some(size)).is_err(), "{page} {size}");
        }
    }

    #[test]
    fn links_name_only_pages_that_exist() {
        let page = Page { number: 2, size: 2 };
        let middle = page.of(vec![1, 2], 5, "/l").links;
        assert_eq!(middle.previous.as_deref(), Some("/l?page=1&size=2"));
        assert_eq!(middle.next.as_deref(), Some("/l?page=3&size=2"));
        assert_eq!(middle.last.as_deref(), Some("/l?page=3&size=2"));
        assert_eq!(page.of(Vec::<i32>::new(), 2, "/l").links, Links::default());
        assert_eq!(Page { number: 1, size: 2 }.of(vec![1], 1, "/l").links.first, None);
        assert_eq!(page.of(Vec::<i32>::new(), 0, "/l").pagination, Pagination::default());
    }
}
