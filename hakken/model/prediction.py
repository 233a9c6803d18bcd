"""Prediction: fold the visitor in, then aggregate neighbours; and ranking. Notation as in docs/algorithm.md.

    b_u   = Σ_{j ∈ R(u)} (r_uj − mu − b_j) / (reg_u + |R(u)|)
    b_ui  = mu + b_u + b_i
    r_hat = b_ui + trend_ui
            + t_u Σ_{j ∈ N_k(i;u)} w_ij (r_uj − b_uj − trend_uj) / (prior + Σ_{j ∈ N_k(i;u)} w_ij)

        w_ij = sim_ij^amplification,  t_u = (n_u / 100)^trust

    trend_ui = s_u · (z_i − z̄_u),  s_u = (Z'Z + trend_reg · I)⁻¹ Z' e_u,  z_i = (b_i, ln q_i / 2, 2 · place_i)

    r_hat += implicit_offset + implicit_slope · min(max(p_ui, −0.2), 1.5) − implicit_length · ln(n_u / 100)

n_u is how many anime the person has watched; the last line is for people with n_u > 0. p_ui is the preference
(`hakken.model.preference`): people rate higher what people like them chose to watch. It grows with the length of a
list, which says nothing about ratings and is subtracted again. The neighbours of a long list are closer, so they are
trusted more.
The trend is how a person's scores go with what everyone thinks of a title (b_i), how many watch it (q_i) and how new it
is (`place_i`, the part of the model's titles with a lower id: ids grow with time). s_u is a ridge regression of the
residuals of the scored titles, e_uj = r_uj − b_uj, on z_j; z̄_u is the mean of these, and the rows of Z are z_j − z̄_u.
N_k(i;u) are the at most k rated items with the highest positive similarity to i. With amplification 1, prior 0, trust
0, no trend and no implicit term this is Surprise's `KNNBaseline`: Koren, "Factor in the neighbors" (TKDD 2010),
equations 2-3. Case amplification: Breese, Heckerman & Kadie, "Empirical analysis of predictive algorithms" (UAI 1998).
Trends: the global effects of Bell & Koren, "Scalable collaborative filtering with jointly derived neighborhood
interpolation weights" (ICDM 2007), section 3.
"""

from typing import NamedTuple

import numpy as np

from hakken.model.arrays import Bools, Float32s, Float64s, Int64s, Model
from hakken.model.list_columns import ListColumns
from hakken.model.preference import USUAL_LENGTH, Taste, preference, taste_of
from hakken.ratings import UserList

IMPLICIT_RANGE = (-0.2, 1.5)
"""Preferences outside this range say no more about a rating."""


class Visitor(NamedTuple):
    """What a prediction needs to know of a person.

    Attributes:
        b_u: user bias, score points.
        rows: `(n_rated,)` int64, inner indices of the scored anime that the model learnt from people.
        scores: `(n_rated,)` int64, 1-10, the score of each.
        residuals: `(n_rated,)` float64, r_uj − b_uj of each, score points.
        slopes: `(3,)` float64, s_u.
        centre: `(3,)` float64, z̄_u.
        detrended: `(n_rated,)` float64, residuals without the trend, r_uj − b_uj − trend_uj.
        trust: t_u.
        new: `(n_new,)` int64, MyAnimeList ids of the watched anime that are new to the model.
        taste: what they watched or plan to watch, scored or not.
    """

    b_u: float
    rows: Int64s
    scores: Int64s
    residuals: Float64s
    slopes: Float64s
    centre: Float64s
    detrended: Float64s
    trust: float
    new: Int64s
    taste: Taste


def fold_in(model: Model, listed: UserList | ListColumns) -> Visitor:
    """Estimate a user's bias with all item biases fixed, for a training user exactly the trained one, and their trend.

    Nothing is learnt from anime that are new to the model.
    """
    columns = ListColumns.of(listed) if isinstance(listed, UserList) else listed
    rows, learnt = model.learnt_rows_of(columns.anime_ids)
    taste = taste_of(model, columns, rows, learnt)
    new = columns.anime_ids[~learnt & ~columns.planned]
    counts = learnt & columns.scored
    rows, scores = rows[counts], columns.scores[counts]
    from_item = scores - model.mu - model.arrays.b_i[rows]
    weight = model.manifest.parameters.reg_u + len(rows)
    b_u = float(from_item.sum() / weight) if weight else 0.0
    trust = (max(1, taste.n_watched) / USUAL_LENGTH) ** model.manifest.parameters.trust
    residuals = from_item - b_u
    slopes, centre, detrended = _trend(model, rows, residuals)
    return Visitor(b_u, rows, scores, residuals, slopes, centre, detrended, trust, new, taste)


def _trend(model: Model, rows: Int64s, residuals: Float64s) -> tuple[Float64s, Float64s, Float64s]:
    """Regress residuals, `(n,)`, on z of their titles: `slopes`, `centre` and `detrended` of a `Visitor`."""
    covariates, reg = model.trend_covariates[rows], model.manifest.parameters.trend_reg
    none = np.zeros(covariates.shape[1])
    if not reg or not len(rows):
        return none, none, residuals
    centre = covariates.mean(axis=0)
    z = covariates - centre
    # By least squares: the smallest regulariser that a model may name leaves the matrix of a short list singular.
    slopes, *_ = np.linalg.lstsq(z.T @ z + reg * np.eye(len(none)), z.T @ residuals)
    return slopes, centre, residuals - z @ slopes


def predict(model: Model, visitor: Visitor, rows: Int64s | None = None, wanted: Float64s | None = None) -> Float64s:
    """Predict ratings, neighbours and preference together; neither rounded nor clipped.

    Args:
        model: the model.
        visitor: a folded-in user.
        rows: `(n,)` inner indices of the anime to predict; all of them when None.
        wanted: `(n_items,)` preferences of the visitor, where they are at hand.

    Returns:
        `(n,)` float64, r_hat in score points.
    """
    rows = np.arange(model.n_items) if rows is None else rows
    wanted = preference(model, visitor.taste) if wanted is None else wanted
    return ratings_of(model, visitor, rows, neighbour_term(model, visitor, rows)[0], wanted[rows])


def ratings_of(model: Model, visitor: Visitor, rows: Int64s, by_neighbours: Float64s, wanted: Float64s) -> Float64s:
    """Put r_hat together for some titles, `(n,)` inner indices, from neighbour terms and preferences p_ui, `(n,)`.

    Returns:
        `(n,)` float64, score points, neither rounded nor clipped.
    """
    before = baseline(model, visitor, rows) + trend(model, visitor, rows)
    return before + by_neighbours + implicit_term(model, visitor, wanted)


def baseline(model: Model, visitor: Visitor, rows: Int64s) -> Float64s:
    """b_ui of some titles, `(n,)` inner indices: `(n,)` float64, score points."""
    return model.mu + visitor.b_u + model.arrays.b_i[rows]


def trend(model: Model, visitor: Visitor, rows: Int64s) -> Float64s:
    """trend_ui of some titles, `(n,)` inner indices: `(n,)` float64, score points."""
    return np.asarray((model.trend_covariates[rows] - visitor.centre) @ visitor.slopes)


def implicit_term(model: Model, visitor: Visitor, wanted: Float64s) -> Float64s:
    """The implicit term of r_hat from preferences `p_ui`, of the same shape, score points."""
    parameters, n_watched = model.manifest.parameters, visitor.taste.n_watched
    if not n_watched:
        return np.zeros(len(wanted))
    offset = parameters.implicit_offset - parameters.implicit_length * np.log(n_watched / USUAL_LENGTH)
    return np.asarray(offset + parameters.implicit_slope * wanted.clip(*IMPLICIT_RANGE))


def neighbour_term(model: Model, visitor: Visitor, rows: Int64s) -> tuple[Float64s, Int64s]:
    """The third term of r_hat: the weighted mean of rated neighbours' detrended residuals, with the prior, times t_u.

    Returns:
        Of the titles at `rows`, `(n,)` each: float64, score points, 0 for one without a rated neighbour; and how many
        rated neighbours there are.
    """
    title, rated, weight, prior = select_neighbours(model, visitor, rows)
    weighted = np.bincount(title, weight * visitor.detrended[rated], minlength=len(rows))
    total = np.bincount(title, weight, minlength=len(rows))
    term = visitor.trust * np.divide(weighted, prior + total, out=np.zeros(len(rows)), where=total > 0)
    return term, np.bincount(title, minlength=len(rows))


def neighbour_parts(model: Model, visitor: Visitor, rows: Int64s) -> tuple[Int64s, Int64s, Float64s]:
    """Split `neighbour_term`, of the titles at `rows`, `(n,)`, into one part for each title and neighbour.

    Returns:
        `(n_parts,)` each: positions within `rows` and within the visitor's `rows`; amounts, score points.
    """
    title, rated, weight, prior = select_neighbours(model, visitor, rows)
    total = prior + np.bincount(title, weight, minlength=len(rows))
    return title, rated, visitor.trust * weight * visitor.detrended[rated] / total[title]


def select_neighbours(model: Model, visitor: Visitor, rows: Int64s) -> tuple[Int64s, Int64s, Float32s, Float64s]:
    """Select the neighbours N_k(i;u) that predict some titles, `(n,)` inner indices.

    Returns:
        For each title and neighbour, `(n_selected,)`: the positions within `rows` and within the visitor's `rows`, and
        w_ij in units of the title's scale; and the prior of each title in the same units, `(n,)`.
    """
    arrays = model.arrays
    rated_position = np.full(model.n_items, -1)
    rated_position[visitor.rows] = np.arange(len(visitor.rows))
    # Every row is read through a window as wide as the widest row: copying those is ten times faster than gathering
    # entry by entry. Near the end of the array a window begins before its row; a shorter row ends before its window.
    windows = model.sim_windows
    begins, ends, width = arrays.sim_indptr[rows], arrays.sim_indptr[rows + 1], windows.shape[1]
    at = np.minimum(begins, len(windows) - 1)
    is_rated = (rated_position >= 0).take(windows[at])
    cut = np.flatnonzero((at < begins) | (ends - at < width))
    column, low, high = np.arange(width), (begins - at)[cut, np.newaxis], (ends - at)[cut, np.newaxis]
    is_rated[cut] &= (column >= low) & (column < high)
    found = np.flatnonzero(is_rated)
    title = found // max(1, width)
    count = np.bincount(title, minlength=len(rows))
    # Each row is ordered by falling similarity, so its first k rated entries are N_k(i;u).
    if count.max(initial=0) > model.manifest.parameters.k:
        nearest = np.arange(len(found)) < np.repeat(np.cumsum(count) - count + model.manifest.parameters.k, count)
        found, title = found[nearest], title[nearest]
    position = found - title * width + at[title]
    # Weights and priors are in units of their row's scale, which cancels out.
    weight = model.weights[arrays.sim_values[position]]
    return title, rated_position[arrays.sim_indices[position]], weight, model.row_priors[rows]


def top_n(score: Float64s, allowed: Bools, n: int) -> Int64s:
    """Find the `n` items with the highest score, `(n_items,)`, among those that are allowed, `(n_items,)` bool.

    Returns:
        `(min(n, candidates),)` inner indices, best first; of equal scores the lower index comes first.
    """
    candidates = np.flatnonzero(allowed)
    if len(candidates) > n:
        # The n-th best score lets in its ties too; the sort below then decides among them.
        threshold = -np.partition(-score[candidates], n - 1)[n - 1]
        candidates = candidates[score[candidates] >= threshold]
    return candidates[np.argsort(-score[candidates], kind="stable")][:n]
