from hakken.series.grouping import Relation, circles
with_franchises=None
